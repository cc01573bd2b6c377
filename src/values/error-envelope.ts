import { types } from 'node:util';
import { SERVE_ERRORS, ServeError, type ServeErrorCode } from '../errors.ts';
import { isInstance, peek } from '../validation/peek.ts';
import { describe } from './describe-value.ts';

/**
 * An error as plain data. `postMessage` would lose its class, `name`, `code` and every own property.
 */
export interface ErrorEnvelope {
  /** The nearest built-in class, or `ServeError`. */
  base: string;
  name: string;
  message: string;
  stack: string | undefined;
  /** Own enumerable data that can cross to another thread, such as `code` and `statusCode`. */
  data: Record<string, unknown>;
  cause?: unknown;
  errors?: unknown;
}

const BUILT_IN: ReadonlyMap<string, ErrorConstructor> = new Map(
  [TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError].map((builtIn) => [
    builtIn.name,
    builtIn as ErrorConstructor,
  ]),
);

/** Non-enumerable members that carry meaning although `Object.keys` does not list them. */
const CARRIED = ['code', 'statusCode', 'status', 'expose'] as const;

/** Captures a member of an error that has the name `key`. */
type Take = (value: unknown, key: string) => unknown;

/**
 * Turns an error into plain data.
 *
 * @param take captures a nested value. If it throws, the value is left out: an error is never replaced by another one saying
 *   that one of its properties (a socket, a request object) cannot cross.
 */
export function toErrorEnvelope(error: Error, take: Take): ErrorEnvelope {
  const base = baseOf(error);
  const stack = peek(error, 'stack');
  const envelope: ErrorEnvelope = {
    base,
    name: describe(peek(error, 'name') ?? 'Error'),
    message: describe(peek(error, 'message') ?? ''),
    stack: typeof stack === 'string' ? stack : undefined,
    data: {},
  };
  const { data } = envelope;
  for (const key of Object.keys(error)) if (isData(key, base)) put(data, key, error, take);
  if (base !== 'DOMException') {
    for (const key of CARRIED) if (!Object.hasOwn(data, key) && has(error, key)) put(data, key, error, take);
  }
  if (has(error, 'cause')) envelope.cause = takeOr(peek(error, 'cause'), 'cause', take);
  if (base === 'AggregateError') {
    envelope.errors = itemsOf(peek(error, 'errors')).map((item) => takeOr(item, 'errors', take));
  }
  return envelope;
}

function isData(key: string, base: string): boolean {
  if (key === 'errors') return base !== 'AggregateError';
  return key !== 'name' && key !== 'message' && key !== 'stack' && key !== 'cause';
}

/** Like the operator `in`, but false if the prototypes of the error cannot be read. */
function has(error: Error, key: string): boolean {
  try {
    return key in error;
  } catch {
    return false;
  }
}

/** The items of an array without its holes; an empty list if the array cannot be read. */
function itemsOf(errors: unknown): unknown[] {
  try {
    return Array.isArray(errors) ? Object.values(errors) : [];
  } catch {
    return [];
  }
}

function put(data: object, key: string, error: Error, take: Take): void {
  try {
    const value = take(Reflect.get(error, key), key);
    Object.defineProperty(data, key, { value, enumerable: true, configurable: true, writable: true });
  } catch {}
}

/** The captured value, or a description of a value that cannot cross. */
function takeOr(value: unknown, key: string, take: Take): unknown {
  try {
    return take(value, key);
  } catch {
    return describe(value);
  }
}

function baseOf(error: Error): string {
  if (error instanceof ServeError) return 'ServeError';
  if (isInstance(error, DOMException)) return 'DOMException';
  if (isInstance(error, AggregateError)) return 'AggregateError';
  for (const [name, builtIn] of BUILT_IN) if (isInstance(error, builtIn)) return name;
  return types.isNativeError(error) && !isInstance(error, Error) ? foreignBase(error) : 'Error';
}

/** The built-in class of an error of another realm (`node:vm`), whose constructor has the same name. */
function foreignBase(error: object): string {
  for (let at: object | null = error; at !== null && !types.isProxy(at); at = Object.getPrototypeOf(at)) {
    const name = Object.hasOwn(at, 'constructor') ? peek(peek(at, 'constructor'), 'name') : undefined;
    if (typeof name === 'string' && (BUILT_IN.has(name) || name === 'AggregateError')) return name;
  }
  return 'Error';
}

/** Restores an error with its built-in class, name, message, remote stack, cause and data. */
export function fromErrorEnvelope(envelope: ErrorEnvelope): Error {
  const error = construct(envelope);
  hide(error, 'stack', envelope.stack);
  if (error.name !== envelope.name) hide(error, 'name', envelope.name);
  if ('cause' in envelope) hide(error, 'cause', envelope.cause);
  for (const key of Object.keys(envelope.data)) {
    Object.defineProperty(error, key, {
      value: envelope.data[key],
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return error;
}

function construct(envelope: ErrorEnvelope): Error {
  const { base, message } = envelope;
  if (base === 'ServeError') return new ServeError(knownCode(envelope.data['code']), message);
  if (base === 'DOMException') return new DOMException(message, envelope.name);
  if (base === 'AggregateError') return new AggregateError((envelope.errors as unknown[]) ?? [], message);
  return new (BUILT_IN.get(base) ?? Error)(message);
}

/**
 * The code that the error is made with. A code of user code or of another version of the library is not in the table: such an
 * error gets its code back with its data.
 */
function knownCode(code: unknown): ServeErrorCode {
  return typeof code === 'string' && Object.hasOwn(SERVE_ERRORS, code)
    ? (code as ServeErrorCode)
    : 'SERVE_UNAVAILABLE';
}

function hide(error: Error, key: string, value: unknown): void {
  Object.defineProperty(error, key, { value, enumerable: false, configurable: true, writable: true });
}
