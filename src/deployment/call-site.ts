import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';
import { ServeError } from '../errors.ts';

/** Stack depth: this file's frame, `deployment()`'s frame, the caller's. */
const CALLER = 2;

/**
 * The module that called `deployment()`, as a `file:` URL.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` if the caller is not a file (the REPL, `eval`)
 */
export function callerModule(): string {
  const site = util.getCallSites(CALLER + 1)[CALLER];
  const url = toFileUrl(site?.scriptName ?? '') ?? toFileUrl(evaluatedFile() ?? '');
  if (url === undefined) {
    throw new ServeError(
      'SERVE_INVALID_OPTION',
      `deployment.module: the calling file is unknown (${site?.scriptName || 'evaluated code'}); pass \`module: import.meta.url\``,
    );
  }
  return url;
}

/** The position at the end of a stack frame: `at eval (/app/models.ts:27:25)`. */
const POSITION = /((?:file:\/\/|\/|[A-Za-z]:[\\/])[^()]*):\d+:\d+\)?$/;

/**
 * The caller's file as the stack of an error names it. Vite's development server evaluates modules as nameless functions, and maps their
 * positions to the sources only in stacks.
 */
function evaluatedFile(): string | undefined {
  // The message and this function come before the frames that are counted.
  const frame = new Error().stack?.split('\n')[CALLER + 2];
  return POSITION.exec(frame ?? '')?.[1];
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
