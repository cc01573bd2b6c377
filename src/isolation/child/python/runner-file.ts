import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ServeError } from '../../../errors.ts';

/** Places of the runner from this file: in the source, in the built package, beside the bundle of an app. */
const PLACES = ['../../../../python/runner.py', '../python/runner.py', './python/runner.py'];

/**
 * The program that every Python replica runs. A bundled app copies the folder `python` of this package next to its bundle, or
 * names the file by `INSERVE_PYTHON_RUNNER`.
 *
 * @throws ServeError `SERVE_MISSING_DEPENDENCY`
 */
export function runnerFile(env: NodeJS.ProcessEnv): string {
  const given = env['INSERVE_PYTHON_RUNNER'];
  const places =
    given === undefined ? PLACES.map((place) => fileURLToPath(new URL(place, import.meta.url))) : [given];
  const found = places.find((place) => existsSync(place));
  if (found !== undefined) return found;
  throw new ServeError(
    'SERVE_MISSING_DEPENDENCY',
    `the Python runner was not found (${places.join(', ')}): copy the folder dist/python of inserve next to the bundle, ` +
      'or set INSERVE_PYTHON_RUNNER',
  );
}
