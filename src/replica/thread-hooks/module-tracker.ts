import { registerHooks } from 'node:module';

/**
 * Tells which files of the project this thread loads from now on, whatever imports or requires them: packages are left
 * out.
 */
export function trackModules(found: (file: string) => void): void {
  registerHooks({
    load(url, context, next) {
      if (url.startsWith('file:') && !url.includes('/node_modules/')) found(withoutQuery(url));
      return next(url, context);
    },
  });
}

/** Loaders add queries. */
function withoutQuery(url: string): string {
  return url.replace(/[?#].*$/, '');
}
