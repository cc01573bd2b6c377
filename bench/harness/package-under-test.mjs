/**
 * Preloaded with `--import` into the processes of a bench, and so into their threads: whoever imports `inserve` gets it
 * from the checkout whose directory the URL of this module names as `?root=`. The package names itself in its own
 * package.json, so an import that seems to come from there resolves to that checkout's build.
 */
import { registerHooks } from 'node:module';

const root = new URL(import.meta.url).searchParams.get('root');
if (root === null) throw new Error('package-under-test.mjs needs ?root=, the URL of a directory');
const parentURL = new URL('package.json', root).href;

registerHooks({
  resolve(specifier, context, nextResolve) {
    const isPackage = specifier === 'inserve' || specifier.startsWith('inserve/');
    return nextResolve(specifier, isPackage ? { ...context, parentURL } : context);
  },
});
