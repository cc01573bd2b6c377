import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { ServeError } from '../errors.ts';

/** Stack depth: this file's frame, `deployment()`'s frame, the caller's. */
const CALLER = 2;

/**
 * The module that called `deployment()`, as a `file:` URL.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` if the caller is no file (the REPL, `eval`)
 */
export function callerModule(): string {
  const site = util.getCallSites(CALLER + 1)[CALLER];
  const url = site === undefined ? undefined : toFileUrl(site.scriptName);
  if (url === undefined) {
    throw new ServeError(
      'SERVE_INVALID_OPTION',
      `deployment.module: the calling file is unknown (${site?.scriptName ?? 'no call site'}); pass \`module: import.meta.url\``,
    );
  }
  return url;
}

/** Turns a script name of V8 into a plain `file:` URL: loaders and dev servers add queries. */
export function toFileUrl(scriptName: string): string | undefined {
  if (isAbsolute(scriptName)) return pathToFileURL(scriptName).href;
  if (!scriptName.startsWith('file://')) return undefined;
  const url = new URL(scriptName);
  url.search = '';
  url.hash = '';
  return url.href;
}
