/** What the suites get in front of their apps: one instance per process, and no replica in a thread. */
import { createServe } from 'inserve';
import { absent } from './absent.mjs';

const serve = createServe({ hostGuard: { enabled: false } });

const MOUNTS = {
  /** All running apps by their prefixes; none runs. */
  none: () => serve.middleware(undefined, { passthrough: true }),
  /** An app that answers 404 to everything, in pass-through. */
  passthrough: () => serve.middleware(absent.bind(), { passthrough: true }),
  /** An app under a path that no test asks for. */
  prefix: () => {
    const middleware = serve.middleware(absent.bind());
    return { path: '/inserve-upstream', middleware };
  },
};

const made = new Map();

/** @returns the middleware, and where to mount it */
export function mountOf(name) {
  const known = made.get(name) ?? MOUNTS[name]();
  made.set(name, known);
  return typeof known === 'function' ? { path: undefined, middleware: known } : known;
}
