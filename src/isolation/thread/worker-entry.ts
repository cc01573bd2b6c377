import { fileURLToPath } from 'node:url';
import { BUNDLERS_PAGE, invalidOption } from '../../errors.ts';
import { entryFile } from '../../validation/entry-file.ts';

const EXPECTED =
  "a file that is built from 'inserve/worker'. If a bundler put inserve into the bundle, keep it external, or build " +
  `'inserve/worker' as an entry of its own and pass its file as \`workerEntry\`; see ${BUNDLERS_PAGE}`;

/**
 * The file that replicas' threads start with: the package's own, or the one of a bundled app.
 *
 * @param given path or `file:` URL
 * @throws ServeError `SERVE_INVALID_OPTION` if it is not there, or if a bundler separated it from its chunks
 */
export function workerEntry(given: string | undefined): string {
  return entryFile('createServe.workerEntry', given, ownEntry, EXPECTED);
}

function ownEntry(): string {
  // Bundles in the format of CommonJS have no `import.meta.url`.
  const here: string | undefined = import.meta.url;
  if (here === undefined) throw invalidOption('createServe.workerEntry', undefined, EXPECTED);
  if (here.endsWith('.ts')) return fileURLToPath(here.replace(/[^/]+$/, 'worker.ts'));
  // File tracers copy the file because of this expression, which must stay literal (`npm run check:package`).
  const { href } = new URL('./thread/worker.js', import.meta.url);
  // Webpack copies the file under another name, and without the chunk that it imports.
  if (href.endsWith('/thread/worker.js')) return fileURLToPath(href);
  throw invalidOption('createServe.workerEntry', href, EXPECTED);
}
