import { realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** Whether a module, given by its `file:` URL, is the file with which this process was started. */
export function isMainModule(module: string): boolean {
  const [, main] = process.argv;
  if (main === undefined) return false;
  try {
    // `node out/server` leaves the extension out.
    const file = createRequire(pathToFileURL(main)).resolve(main);
    return pathToFileURL(realpathSync(file)).href === module;
  } catch {
    return false;
  }
}
