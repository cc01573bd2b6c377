import { registerHooks } from 'node:module';

const WHOLE = new URL('../index.js', import.meta.url).href;
const LEAN = new URL('./index.js', import.meta.url).href;

// Before the user's module is imported, which asks for 'inserve'.
registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    return resolved.url === WHOLE ? { ...resolved, url: LEAN } : resolved;
  },
});
