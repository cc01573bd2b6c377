/**
 * Python packages that `npm run test:python` has installed, for tests that need them; empty in `npm test`. The environment in
 * which they are is active (`VIRTUAL_ENV`), so that replicas find it.
 */
export const FRAMEWORKS: ReadonlySet<string> = new Set(
  (process.env['INSERVE_PYTHON_FRAMEWORKS'] ?? '').split(' ').filter((name) => name !== ''),
);
