import { fileURLToPath } from 'node:url';
import { BUNDLERS_PAGE, invalidOption } from '../errors.ts';
import { entryFile } from '../validation/entry-file.ts';

const EXPECTED =
  "a file that is built from 'inserve/fleet-thread'. If a bundler put inserve into the bundle, keep it external, or build " +
  `'inserve/fleet-thread' as an entry of its own and pass its file as \`fleetEntry\`; see ${BUNDLERS_PAGE}`;

/**
 * The file that the fleet thread starts with: the package's own, or the one of a bundled app.
 *
 * @param given path or `file:` URL
 * @throws ServeError `SERVE_INVALID_OPTION` if the file is not there
 */
export function fleetEntry(given?: string): string {
  return entryFile('createServe.fleetEntry', given, ownEntry, EXPECTED);
}

function ownEntry(): string {
  const here = import.meta.url;
  if (here.endsWith('.ts')) return fileURLToPath(here.replace(/[^/]+$/, 'fleet-thread.ts'));
  // File tracers copy the file because of this expression, which must stay literal (`npm run check:package`).
  const { href } = new URL('./fleet/fleet-thread.js', import.meta.url);
  // Webpack copies the file under another name.
  if (href.endsWith('/fleet/fleet-thread.js')) return fileURLToPath(href);
  throw invalidOption('createServe.fleetEntry', href, EXPECTED);
}
