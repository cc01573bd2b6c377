import { ServeError, type ValidationIssue } from '../errors.ts';
import { jsonRequest } from '../input/adapters.ts';
import { iteratorOf } from '../validation/iterator-of.ts';
import {
  invalidInput,
  invalidResult,
  type MethodSchemas,
  type Schema,
  validate,
} from '../validation/schema.ts';
import { isThenable } from '../validation/thenable.ts';
import { markAs, takeTransfer } from '../values/transfer.ts';
import { isResponse } from './ingress/foreign.ts';
import { methodNotAllowed, POST_ONLY } from './method-not-allowed.ts';
import { isStream, leave } from './stream-pump.ts';

/** The key under which a checked stream has the schema of its values. */
const OUTPUT: unique symbol = Symbol('inserve.output');

/** The schema of the values of a stream. */
export function outputOf(stream: object): Schema | undefined {
  return Reflect.get(stream, OUTPUT) as Schema | undefined;
}

export type Method = (this: unknown, ...args: unknown[]) => unknown;

/** Wraps a method in its schemas: it runs with the values of the input schema, or not at all. */
export function withSchemas(name: string, method: Method, schemas: MethodSchemas = {}): Method {
  const { input, output } = schemas;
  const checked = withOutput(name, method, output);
  if (input === undefined) return checked;
  const isList = takesList(method);
  return function (...args) {
    const refuse = (issues: readonly ValidationIssue[]) => invalidInput(`the input of ${name}()`, issues);
    // Further arguments would not be validated.
    if (!isList && args.length > 1)
      throw refuse([{ path: [], message: `expected 1 argument, got ${args.length}` }]);
    const taken = validate(input, isList ? args : args[0], refuse);
    return isThenable(taken)
      ? taken.then((late) => checked.apply(this, toArguments(late, isList)))
      : checked.apply(this, toArguments(taken, isList));
  };
}

/** Wraps a method as an ingress: with an input schema it gets the JSON body of a POST instead of the request. */
export function withRequestSchemas(method: Method, schemas: MethodSchemas = {}): Method {
  const { input, output } = schemas;
  const checked = withOutput('call', method, output);
  if (input === undefined) return checked;
  const isList = takesList(method);
  return async function (request) {
    if ((request as Request).method !== 'POST') return methodNotAllowed(POST_ONLY);
    return checked.apply(this, toArguments(await jsonRequest(request as Request, input), isList));
  };
}

/** Parameters behind the first one with a default do not count, as JavaScript has it. */
function takesList(method: Method): boolean {
  return method.length > 1;
}

function toArguments(value: unknown, isList: boolean): unknown[] {
  if (!isList) return [value];
  if (Array.isArray(value)) return value;
  throw new ServeError(
    'SERVE_INVALID_OPTION',
    'the input schema of a method with several parameters must give the list of its arguments',
  );
}

function withOutput(name: string, method: Method, output: Schema | undefined): Method {
  if (output === undefined) return method;
  const check = (value: unknown): unknown => checkResult(name, output, value);
  return function (...args) {
    const result = method.apply(this, args);
    return isThenable(result) ? result.then(check) : check(result);
  };
}

function checkResult(name: string, output: Schema, result: unknown): unknown {
  const refuse = (issues: readonly ValidationIssue[]) => invalidResult(`${name}()`, issues);
  if (isStream(result)) return checkEach(result, output, (value) => validate(output, value, refuse));
  // A response is sent to the client as it is.
  if (typeof result === 'object' && result !== null && isResponse(result)) return result;
  const moved = typeof result === 'object' && result !== null ? takeTransfer(result) : undefined;
  const checked = validate(output, result, refuse);
  if (moved === undefined) return checked;
  const mark = (value: unknown): unknown => {
    if (typeof value === 'object' && value !== null) markAs(value, moved);
    return value;
  };
  return isThenable(checked) ? checked.then(mark) : mark(checked);
}

/**
 * The values of a stream after validation. This is not a generator, whose `return()` would wait for a `next()` that may never
 * settle.
 */
function checkEach(
  source: AsyncIterable<unknown> | Iterable<unknown>,
  output: Schema,
  check: (value: unknown) => unknown,
): AsyncIterable<unknown> & { readonly [OUTPUT]: Schema } {
  const iterator = iteratorOf(source);
  const stop = async (): Promise<IteratorResult<unknown>> => {
    await leave(iterator);
    return { done: true, value: undefined };
  };
  const next = async (): Promise<IteratorResult<unknown>> => {
    const { done, value } = await iterator.next();
    if (done === true) return { done, value };
    try {
      return { done: false, value: await check(value) };
    } catch (error) {
      void leave(iterator);
      throw error;
    }
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: stop }), [OUTPUT]: output };
}
