import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidOption } from '../errors.ts';

/**
 * The file that threads of a kind start with: the package's own, or the one of a bundled app.
 *
 * @param option name of the option in an error
 * @param given path or `file:` URL
 * @throws ServeError `SERVE_INVALID_OPTION` if the file is not there
 */
export function entryFile(
  option: string,
  given: string | undefined,
  own: () => string,
  expected: string,
): string {
  const entry = given === undefined ? own() : toPath(given);
  if (existsSync(entry)) return entry;
  throw invalidOption(option, entry, expected);
}

function toPath(given: string): string {
  return given.startsWith('file:') ? fileURLToPath(given) : resolve(given);
}
