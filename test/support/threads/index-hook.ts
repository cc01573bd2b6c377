import { registerHooks } from 'node:module';

/** URL of `src/index.ts`; the bundler puts it here. */
declare const SOURCE_INDEX: string;

const BUNDLED = new URL('./index.js', import.meta.url).href;

// Before a test deployment is imported: its library and the thread's must be one.
registerHooks({
  resolve(specifier, context, nextResolve) {
    const resolved = nextResolve(specifier, context);
    return resolved.url === SOURCE_INDEX ? { ...resolved, url: BUNDLED, format: 'module' } : resolved;
  },
});
