import type { Session } from 'node:inspector';
import { registerHooks } from 'node:module';

/** Makes other modules of those of the project, which Node would not load a second time. */
const AGAIN = '?inserve-again';
/** Under this symbol the inspector finds the error. */
const SUBJECT = Symbol.for('inserve.syntaxError');

/**
 * Says where a module of the project cannot be parsed. Node tells it only to who prints the error, so the module is imported
 * once more while the inspector listens; since its imports could not be parsed either, none of its code runs.
 *
 * @returns the error, with `file:line` before its stack, as Node does it with other errors of modules
 */
export async function locateSyntaxError(error: unknown, module: string): Promise<unknown> {
  if (!(error instanceof SyntaxError) || /file:\/\/|^\//m.test(error.stack ?? '')) return error;
  try {
    const place = await placeIn(module);
    if (place !== undefined) error.stack = `${place}\n\n${error.stack}`;
  } catch {
    // The inspector is not available.
  }
  return error;
}

async function placeIn(module: string): Promise<string | undefined> {
  const inspector = await import('node:inspector');
  const session = new inspector.Session();
  session.connect();
  const hooks = registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const isOfProject = resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/');
      const isModule = resolved.format !== 'commonjs' && resolved.format !== 'json';
      return isOfProject && isModule ? { ...resolved, url: resolved.url + AGAIN } : resolved;
    },
  });
  try {
    let url: string | undefined;
    session.on('Debugger.scriptFailedToParse', ({ params }) => {
      url ??= params.url;
    });
    session.post('Debugger.enable');
    const again: unknown = await import(module + AGAIN).catch((error: unknown) => error);
    const line = lineOf(session, again);
    return url === undefined || line === undefined ? undefined : `${url.replaceAll(AGAIN, '')}:${line + 1}`;
  } finally {
    hooks.deregister();
    session.disconnect();
  }
}

/** The line of the source that an error of the parser is about, from 0. */
function lineOf(session: Session, error: unknown): number | undefined {
  let line: number | undefined;
  Reflect.set(globalThis, SUBJECT, error);
  const expression = `globalThis[Symbol.for('${Symbol.keyFor(SUBJECT)}')]`;
  // Answers of the inspector of the own thread come at once.
  session.post('Runtime.evaluate', { expression }, (_failure, { result }) => {
    const errorObjectId = result.objectId ?? '';
    session.post('Runtime.getExceptionDetails', { errorObjectId }, (_error, answer) => {
      line = (answer as { exceptionDetails?: { lineNumber: number } }).exceptionDetails?.lineNumber;
    });
  });
  Reflect.deleteProperty(globalThis, SUBJECT);
  return line;
}
