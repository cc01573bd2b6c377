import { registerHooks } from 'node:module';

const WHOLE = new URL('../index.js', import.meta.url).href;
const LEAN = new URL('./index.js', import.meta.url).href;

// The hook must be registered before the import of the user's module, which imports 'inserve'.
registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    return resolved.url === WHOLE ? { ...resolved, url: LEAN } : resolved;
  },
});
