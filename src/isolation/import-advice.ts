import { NATIVE_PAGE, TESTING_PAGE } from '../errors.ts';
import { peek } from '../validation/peek.ts';

/** Codes of Node's module loader for what the aliases and transforms of another tool would have resolved or compiled. */
const LOADER_CODES: ReadonlySet<unknown> = new Set([
  'ERR_IMPORT_ATTRIBUTE_MISSING',
  'ERR_INVALID_MODULE_SPECIFIER',
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_MODULE_NOT_FOUND',
  'ERR_PACKAGE_IMPORT_NOT_DEFINED',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'ERR_UNSUPPORTED_ESM_URL_SCHEME',
  'ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'MODULE_NOT_FOUND',
]);

/** `require is not defined in ES module scope`, and similar errors. */
const COMMONJS_NAME = / is not defined in ES module scope/;
/** Globals of test runners, and what they say outside of their own processes. */
const TEST_GLOBAL =
  /^(?:(?:describe|test|it|expect|jest|vi|beforeAll|beforeEach|afterAll|afterEach) is not defined|Vitest .*|.*@jest\/globals.*)$/s;
/** A test runner in the innermost frame of a stack. */
const TEST_RUNNER = /[\\/]node_modules[\\/](?:@?vitest|@?jest|mocha)[\\/]/;
/** The error of Node when a second thread loads an addon that is not context-aware. */
const LOADED_ONCE = /Module did not self-register/;

/**
 * Advice for a replica whose module could not be imported by Node, although it can be by the tool that runs the host; empty if
 * the error has another reason.
 */
export function importAdvice(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  const message = String(peek(error, 'message'));
  if (LOADED_ONCE.test(message))
    return `the native addon can be loaded by one thread of a process only: set isolation: 'process', see ${NATIVE_PAGE}`;
  if (TEST_GLOBAL.test(message) || TEST_RUNNER.test(innermostFrame(error)))
    return (
      'the replica imported a file of tests: declare the deployment in a module of its own, or run it in the thread of ' +
      `the test with createServe({ isolation: 'inline' }), see ${TESTING_PAGE}`
    );
  if (error instanceof SyntaxError || LOADER_CODES.has(peek(error, 'code')) || COMMONJS_NAME.test(message))
    return `replicas import modules by Node itself, not through vitest, jest or a bundler: see ${TESTING_PAGE}`;
  return '';
}

function innermostFrame(error: object): string {
  const lines = String(peek(error, 'stack')).split('\n');
  return lines.find((line) => line.startsWith('    at ')) ?? '';
}
