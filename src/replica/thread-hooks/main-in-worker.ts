import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BUNDLERS_PAGE, ServeError } from '../../errors.ts';

/** The module that a replica imports. */
export interface ImportedModule {
  /** Name of the deployment that it declares. */
  readonly deployment: string;
  /** `file:` URL. */
  readonly module: string;
  /** Whether the host's process was started with this file. */
  readonly isMainModule: boolean;
}

/** The module that this thread imports now. */
let imported: ImportedModule | undefined;

/** Says which module the thread imports from now on; undefined: the import is over. */
export function setImportedModule(module: ImportedModule | undefined): void {
  imported = module;
}

/**
 * Describes a call of the host's API in a replica.
 *
 * @param what the call, such as `serve.run()`
 * @param rule where the call is allowed
 */
export function mainInWorker(what: string, rule = 'is only available on the host'): ServeError {
  return new ServeError(
    'SERVE_MAIN_IN_WORKER',
    imported === undefined ? atRunTime(what, rule) : atImport(what, imported),
  );
}

function atRunTime(what: string, rule: string): string {
  return `${what} ${rule}, and was called in a replica: call it in the program that starts the server`;
}

function atImport(what: string, { deployment, module, isMainModule }: ImportedModule): string {
  const file = displayPath(module);
  const happened = `${what} was called while a replica imported ${file}: the deployment '${deployment}' is declared in ${file}`;
  const guard = 'or guard the server with `if (import.meta.main)` (CommonJS: `require.main === module`)';
  const found = isMainModule
    ? `, which is also the program's main file. If that is a bundle, build the module that declares '${deployment}' as an ` +
      `entry of its own; if not, move the deployment to its own module, ${guard}`
    : `, and that file, or one that it imports, starts the app. Move the deployment to its own module, ${guard}`;
  return `${happened}${found}; see ${BUNDLERS_PAGE}`;
}

/** Path of a file below the working directory; the whole path of any other file. */
function displayPath(url: string): string {
  const path = fileURLToPath(url);
  const below = relative(process.cwd(), path);
  return below.startsWith('..') ? path : below.split(sep).join('/');
}
