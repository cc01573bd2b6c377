import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ServeError, type ValidationIssue } from '../errors.ts';
import { peek } from './peek.ts';
import { isThenable } from './thenable.ts';

/** A schema of zod, valibot, arktype or any other library that follows https://standardschema.dev. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** The type of a value that a schema has accepted, transformations included. */
export type SchemaOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>;

/** What a method takes and gives. */
export interface MethodSchemas {
  /** Of the argument; of the list of arguments if the method takes several. */
  readonly input?: Schema;
  /** Of the result; of each value if the method streams. */
  readonly output?: Schema;
}

/** By the name of the method. */
export type DeploymentSchemas = Readonly<Record<string, MethodSchemas>>;

/** Said of one value; a list of 10 000 wrong items is not answered with 10 000 sentences. */
const MAX_ISSUES = 100;
const MAX_MESSAGE_LENGTH = 500;
const MAX_KEY_LENGTH = 100;

/** Some schemas are functions (arktype), so this is asked before whether something is one. */
export function isSchema(value: unknown): value is Schema {
  const standard = peek(value, '~standard');
  return peek(standard, 'version') === 1 && typeof peek(standard, 'validate') === 'function';
}

/**
 * Runs a schema. Answers at once if the schema does, so that a synchronous one costs no turn of the event loop.
 *
 * @param refuse makes the error of what does not match
 * @returns the schema's value, transformations included
 * @throws what `refuse` makes, and what the schema itself throws
 */
export function validate<Output>(
  schema: Schema<unknown, Output>,
  value: unknown,
  refuse: (issues: readonly ValidationIssue[]) => Error,
): Output | Promise<Output> {
  const result = schema['~standard'].validate(value);
  return isThenable(result)
    ? Promise.resolve(result).then((late) => accept(late, refuse))
    : accept(result, refuse);
}

function accept<Output>(
  result: StandardSchemaV1.Result<Output>,
  refuse: (issues: readonly ValidationIssue[]) => Error,
): Output {
  if (result.issues === undefined) return result.value;
  // Some lists of issues are subclasses of Array, whose `map` makes more of that class.
  throw refuse(Array.from(result.issues).slice(0, MAX_ISSUES).map(toIssue));
}

/** As plain data that is fit for another thread and for a client. */
function toIssue({ message, path = [] }: StandardSchemaV1.Issue): ValidationIssue {
  const keys = Array.from(path, (segment) => (typeof segment === 'object' ? segment.key : segment));
  return {
    path: keys.map((key) => (typeof key === 'number' ? key : String(key).slice(0, MAX_KEY_LENGTH))),
    message: String(message).slice(0, MAX_MESSAGE_LENGTH),
  };
}

/**
 * `SERVE_VALIDATION` (422): the caller's fault.
 *
 * @param what is invalid, such as `predict(input)` or `the request body`
 */
export function invalidInput(what: string, issues: readonly ValidationIssue[]): ServeError {
  return new ServeError('SERVE_VALIDATION', `${what} is invalid: ${summary(issues)}`, { issues });
}

/**
 * `SERVE_INVALID_RESULT` (500): the method's fault.
 *
 * @param method `deployment.method`
 */
export function invalidResult(method: string, issues: readonly ValidationIssue[]): ServeError {
  const message = `${method} gave a result that its output schema does not accept: ${summary(issues)}`;
  return new ServeError('SERVE_INVALID_RESULT', message, { issues });
}

/** The first issue, and how many more there are. */
function summary(issues: readonly ValidationIssue[]): string {
  const [first] = issues;
  if (first === undefined) return 'no reason given';
  const where = first.path.length === 0 ? '' : `${first.path.join('.')}: `;
  const more = issues.length === 1 ? '' : ` (and ${issues.length - 1} more)`;
  return `${where}${first.message}${more}`;
}
