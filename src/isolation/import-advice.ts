import { existsSync } from 'node:fs';
import modules from 'node:module';
import { fileURLToPath } from 'node:url';
import { BUNDLERS_PAGE, NATIVE_PAGE, TESTING_PAGE } from '../errors.ts';
import { peek } from '../validation/peek.ts';
import { type ImportPlace, importerOf, sourceOf } from './import-place.ts';
import { isOwnFile } from './own-files.ts';

/** Codes of Node's module loader for what the aliases and transforms of another tool would have resolved or compiled. */
const LOADER_CODES: ReadonlySet<unknown> = new Set([
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_INVALID_MODULE_SPECIFIER',
  'ERR_PACKAGE_IMPORT_NOT_DEFINED',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_ESM_URL_SCHEME',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
]);
const NOT_FOUND: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

/** `require is not defined in ES module scope`, and similar errors. */
const COMMONJS_NAME = / is not defined in ES module scope/;
/** Globals of test runners, and what they say outside of their own processes. */
const TEST_GLOBAL =
  /^(?:(?:describe|test|it|expect|jest|vi|beforeAll|beforeEach|afterAll|afterEach) is not defined|Vitest .*|.*@jest\/globals.*)$/s;
/** A test runner in the innermost frame of a stack. */
const TEST_RUNNER = /[\\/]node_modules[\\/](?:@?vitest|@?jest|mocha)[\\/]/;
/** The error of Node when a second thread loads an addon that is not context-aware. */
const LOADED_ONCE = /Module did not self-register/;
const NO_SUCH_EXPORT = /module '(.*)' does not provide an export named '(.*)'/;
/** A line with JSX or a decorator. */
const COMPILED_SYNTAX = /<\/[A-Za-z>]|<[A-Za-z][^<>]*\/>|<>|^\s*@[\w(]/;
/** What the tools of the docs would have replaced in the code. */
const REPLACED = /\bimport\.meta\.env\b/;
/** Name that a package can have, in contrast to an alias such as `@` or `~`. */
const PACKAGE_NAME = /^(?:@[a-z0-9-][\w.-]*\/)?[a-z0-9][\w.-]*$/i;
/** Endings that other tools add to the path of a file, or take in place of its own. */
const ENDINGS = [
  '.ts',
  '.tsx',
  '.mts',
  '.js',
  '.jsx',
  '.mjs',
  '.json',
  '/index.ts',
  '/index.tsx',
  '/index.js',
];

const BY_NODE = `replicas import modules by Node itself, not through vitest, jest or a bundler: see ${TESTING_PAGE}`;

/**
 * Advice for a replica whose module could not be imported by Node, although it can be by the tool that runs the host; empty if
 * the error has another reason.
 *
 * @param place where the error is, if known
 */
export function importAdvice(error: unknown, place?: ImportPlace): string {
  if (typeof error !== 'object' || error === null) return '';
  const message = String(peek(error, 'message'));
  if (LOADED_ONCE.test(message))
    return `the native addon can be loaded by one thread of a process only: set isolation: 'process', see ${NATIVE_PAGE}`;
  if (TEST_GLOBAL.test(message) || TEST_RUNNER.test(innermostFrame(error)))
    return (
      'the replica imported a file of tests: declare the deployment in a module of its own, or run it in the thread of ' +
      `the test with createServe({ isolation: 'inline' }), see ${TESTING_PAGE}`
    );
  const code = peek(error, 'code');
  if (LOADER_CODES.has(code) || COMMONJS_NAME.test(message)) return BY_NODE;
  if (NOT_FOUND.has(code)) return adviceOnMissing(message, place);
  if (place === undefined) return '';
  const [, module = '', name = ''] = NO_SUCH_EXPORT.exec(message) ?? [];
  if (name !== '') return adviceOnExport(module, name, place);
  const line = sourceOf(place.file).split('\n')[place.line - 1] ?? '';
  return (place.isParsed ? COMPILED_SYNTAX : REPLACED).test(line) ? BY_NODE : '';
}

/** @param message of the error, such as `Cannot find package '@/lib' imported from /app/src/models.ts` */
function adviceOnMissing(message: string, place: ImportPlace | undefined): string {
  const [, kind, missing = ''] = /^Cannot find (package|module) '(.*?)'/.exec(message) ?? [];
  const importer = importerOf(message) ?? place?.file ?? '';
  if (isOwnFile(importer))
    return `this is the \`module\` of the deployment: if a bundler made it, see ${BUNDLERS_PAGE}`;
  if (kind === 'module' && /^(?:[./\\]|[a-z]:\\)/i.test(missing))
    return isKnownToOthers(missing, importer) ? BY_NODE : '';
  if (!PACKAGE_NAME.test(missing)) return BY_NODE;
  return isDependency(missing, importer) ? '' : `if '${missing}' is an alias: ${BY_NODE}`;
}

function adviceOnExport(module: string, name: string, { file }: ImportPlace): string {
  if (module.includes('?')) return BY_NODE;
  if (name === 'default' || !/\.[cm]?ts$/.test(file)) return '';
  return `if '${name}' is a type, import it with \`import type\`: see ${TESTING_PAGE}`;
}

/** Whether another tool would find a file under a path without its ending, or with the one that it has after its compilation. */
function isKnownToOthers(path: string, importer: string): boolean {
  const file = path.startsWith('.') ? URL.parse(path, importer) : undefined;
  const whole = file?.protocol === 'file:' ? fileURLToPath(file) : path;
  const stem = whole.replace(/\.[cm]?jsx?$/, '');
  return ENDINGS.some((ending) => existsSync(stem + ending));
}

/** Whether the package of a file depends on another one, which then is not installed. */
function isDependency(name: string, file: string): boolean {
  try {
    const found = modules.findPackageJSON(file);
    return found !== undefined && sourceOf(found).includes(`"${name}"`);
  } catch {
    return false;
  }
}

function innermostFrame(error: object): string {
  const lines = String(peek(error, 'stack')).split('\n');
  return lines.find((line) => line.startsWith('    at ')) ?? '';
}
