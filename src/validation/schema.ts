import type { StandardSchemaV1 } from '@standard-schema/spec';
import { ServeError, type ValidationIssue } from '../errors.ts';
import { peek } from './peek.ts';
import { isThenable } from './thenable.ts';

/** A schema of zod, valibot, arktype or any other library that follows https://standardschema.dev. */
export type Schema<Input = unknown, Output = Input> = StandardSchemaV1<Input, Output>;

/** The type of a value that a schema has accepted, after its transformations. */
export type SchemaOutput<S extends Schema> = StandardSchemaV1.InferOutput<S>;

/** The schemas of a method. */
export interface MethodSchemas {
  /** The schema of the argument, or of the list of arguments if the method takes several. */
  readonly input?: Schema;
  /** The schema of the result, or of each value if the method streams. */
  readonly output?: Schema;
}

/** The schemas of a deployment by the name of the method. */
export type DeploymentSchemas = Readonly<Record<string, MethodSchemas>>;

/** The most issues that are reported of one value: a list of 10 000 wrong items does not get 10 000 messages. */
const MAX_ISSUES = 100;
const MAX_MESSAGE_LENGTH = 500;
const MAX_KEY_LENGTH = 100;

/** Whether a value is a schema. Check this before `typeof value === 'function'`, because arktype's schemas are functions. */
export function isSchema(value: unknown): value is Schema {
  const standard = peek(value, '~standard');
  return peek(standard, 'version') === 1 && typeof peek(standard, 'validate') === 'function';
}

/**
 * Validates a value with a schema. The result of a synchronous schema is returned at once, not as a promise.
 *
 * @param refuse makes the error for a value that does not match
 * @returns the schema's value, after its transformations
 * @throws the error of `refuse`, or an error that the schema itself throws
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
  // Some libraries subclass Array for their issues, and `map` of a subclass would make another instance of it.
  throw refuse(Array.from(result.issues).slice(0, MAX_ISSUES).map(toIssue));
}

/** Turns an issue into plain data that can be sent to another thread and to a client. */
function toIssue({ message, path = [] }: StandardSchemaV1.Issue): ValidationIssue {
  const keys = Array.from(path, (segment) => (typeof segment === 'object' ? segment.key : segment));
  return {
    path: keys.map((key) => (typeof key === 'number' ? key : String(key).slice(0, MAX_KEY_LENGTH))),
    message: String(message).slice(0, MAX_MESSAGE_LENGTH),
  };
}

/**
 * Makes a `SERVE_VALIDATION` error (422), for an invalid value from the caller.
 *
 * @param what names the invalid value, such as `predict(input)` or `the request body`
 */
export function invalidInput(what: string, issues: readonly ValidationIssue[]): ServeError {
  return new ServeError('SERVE_VALIDATION', `${what} is invalid: ${summary(issues)}`, { issues });
}

/**
 * Makes a `SERVE_INVALID_RESULT` error (500), for an invalid value from the method.
 *
 * @param method `deployment.method`
 */
export function invalidResult(method: string, issues: readonly ValidationIssue[]): ServeError {
  const message = `${method} gave a result that its output schema does not accept: ${summary(issues)}`;
  return new ServeError('SERVE_INVALID_RESULT', message, { issues });
}

/** The first issue, and the number of further ones. */
function summary(issues: readonly ValidationIssue[]): string {
  const [first] = issues;
  if (first === undefined) return 'no reason given';
  const where = first.path.length === 0 ? '' : `${first.path.join('.')}: `;
  const more = issues.length === 1 ? '' : ` (and ${issues.length - 1} more)`;
  return `${where}${first.message}${more}`;
}
