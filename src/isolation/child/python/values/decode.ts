import { END_OF_STREAM } from '../../../../batching/batch.ts';
import { ServeError } from '../../../../errors.ts';
import { type ErrorEnvelope, fromErrorEnvelope } from '../../../../values/error-envelope.ts';
import { PORTABLE, type Portable } from '../../../../values/marks.ts';
import { BadMessageError } from '../message.ts';
import {
  bytesPerElement,
  elementsOf,
  isTensorDtype,
  nested,
  rowsOf,
  type Tensor,
  toPublic,
  toTypedArray,
} from './tensor.ts';

/** The parts of a response that Python made. */
export interface ResponseParts {
  readonly status: number;
  readonly headers: [string, string][];
  readonly body: Uint8Array<ArrayBuffer>;
}

/** Marks a response that Python made. It becomes a `Response` for HTTP; it cannot cross to another caller, nor inside a value. */
export class PythonResponse implements Portable {
  readonly parts: ResponseParts;

  constructor(parts: ResponseParts) {
    this.parts = parts;
  }

  [PORTABLE](): never {
    throw new ServeError(
      'SERVE_NOT_SERIALIZABLE',
      'an inserve.Response can only be the whole result of __call__ for an HTTP request: return plain data to other calls',
    );
  }
}

/** Form in which the receiver wants its values. */
export interface DecodeOptions {
  /** The handle of a number. */
  readonly handle?: (number: number) => unknown;
  /** `'json'` turns tensors into nested arrays; `'public'` (default) into typed arrays. */
  readonly tensors?: 'json' | 'public';
  /** Whether a tensor in place of the whole value stands for the list of its rows. */
  readonly rows?: boolean;
}

/**
 * Restores a value from its marks. It is changed in place; without marks it is not walked.
 *
 * @throws BadMessageError for marks that do not fit
 */
export function decodeValue(
  value: unknown,
  marks: unknown,
  attachments: readonly Uint8Array<ArrayBuffer>[],
  options: DecodeOptions = {},
): unknown {
  if (marks === 0 || marks === undefined || marks === null) return value;
  if (!Array.isArray(marks)) throw new BadMessageError('the marks of a value are no list');
  const holder: [unknown] = [value];
  for (const mark of marks) {
    if (!Array.isArray(mark) || !Array.isArray(mark[0])) throw new BadMessageError('a mark has no path');
    const [path, kind, data] = mark as [unknown[], unknown, unknown];
    let container: unknown = holder;
    let key: string | number = 0;
    for (const step of path) {
      container = member(container, key);
      key = step as string | number;
    }
    const place = member(container, key);
    const isWhole = path.length === 0;
    const restored =
      isWhole && kind === 't' && options.rows === true
        ? rowsOf(tensorOf(data, attachments))
        : restore(String(kind), data, place, attachments, options);
    Object.defineProperty(container, key, {
      value: restored,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return holder[0];
}

function member(container: unknown, key: string | number): unknown {
  if (typeof container !== 'object' || container === null || !Object.hasOwn(container, key))
    throw new BadMessageError('a mark has a path that its value does not have');
  return Reflect.get(container, key);
}

function restore(
  kind: string,
  data: unknown,
  place: unknown,
  attachments: readonly Uint8Array<ArrayBuffer>[],
  { handle, tensors = 'public' }: DecodeOptions,
): unknown {
  switch (kind) {
    case 't': {
      const tensor = tensorOf(data, attachments);
      return tensors === 'json' ? nested(tensor) : toPublic(tensor);
    }
    case 'f':
      return Array.from(toTypedArray('float64', whole(memory(data, attachments), 8)) as Float64Array);
    case 'i':
      return integers(data, attachments);
    case 's':
      return Buffer.from(memory(data, attachments)).toString('utf8');
    case 'b':
      return memory(data, attachments);
    case 'n':
      return numberOf(data);
    case 'd':
      return new Date(Number(data));
    case 'g':
      if (typeof data !== 'string' || !/^-?\d+$/.test(data)) break;
      return BigInt(data);
    case 'u':
      return undefined;
    case 'm':
      if (!Array.isArray(place) || !place.every((pair) => Array.isArray(pair) && pair.length === 2)) break;
      return new Map(place as [unknown, unknown][]);
    case 'e':
      if (!Array.isArray(place)) break;
      return new Set(place);
    case 'x':
      return toError(place);
    case 'p':
      if (typeof place !== 'object' || place === null) break;
      return new PythonResponse(place as ResponseParts);
    case 'o':
      return END_OF_STREAM;
    case 'h':
      if (handle === undefined || typeof data !== 'number') break;
      return handle(data);
  }
  throw new BadMessageError(`a mark of kind ${JSON.stringify(kind)} does not fit its value`);
}

function memory(index: unknown, attachments: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const found = typeof index === 'number' ? attachments[index] : undefined;
  if (found === undefined) throw new BadMessageError(`there is no attachment ${String(index)}`);
  return found;
}

function whole(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  if (bytes.byteLength % size !== 0)
    throw new BadMessageError(`${bytes.byteLength} bytes are no whole number of elements of ${size} bytes`);
  return bytes;
}

function integers(data: unknown, attachments: readonly Uint8Array<ArrayBuffer>[]): number[] {
  const [index, code] = Array.isArray(data) ? data : [];
  const bytes = memory(index, attachments);
  if (code === 'i') return Array.from(toTypedArray('int32', whole(bytes, 4)) as Int32Array);
  if (code === 'q') return Array.from(toTypedArray('int64', whole(bytes, 8)) as BigInt64Array, Number);
  throw new BadMessageError(`integers of an unknown type ${JSON.stringify(code)}`);
}

function tensorOf(data: unknown, attachments: readonly Uint8Array<ArrayBuffer>[]): Tensor {
  const [dtype, shape, index] = Array.isArray(data) ? data : [];
  const bytes = memory(index, attachments);
  const isShape =
    Array.isArray(shape) && shape.every((length: unknown) => Number.isInteger(length) && Number(length) >= 0);
  if (
    !isTensorDtype(dtype) ||
    !isShape ||
    elementsOf(shape as number[]) * bytesPerElement(dtype) !== bytes.byteLength
  )
    throw new BadMessageError(
      `a tensor of ${String(dtype)}, shape [${String(shape)}] and ${bytes.byteLength} bytes`,
    );
  return { dtype, shape: shape as number[], data: toTypedArray(dtype, bytes) };
}

function numberOf(name: unknown): number {
  const found = typeof name === 'string' && name !== '' ? Number(name) : Number.NaN;
  if (Number.isNaN(found) && name !== 'NaN') throw new BadMessageError(`a number called ${String(name)}`);
  return found;
}

/** Restores an exception of Python. Its class is kept as `name`; classes that JavaScript has too are built in. */
export function toError(envelope: unknown): Error {
  const given = (typeof envelope === 'object' && envelope !== null ? envelope : {}) as Partial<ErrorEnvelope>;
  const data = typeof given.data === 'object' && given.data !== null ? given.data : {};
  const { code } = data as { code?: unknown };
  const isServeError = typeof code === 'string' && code.startsWith('SERVE_');
  const name = String(given.name ?? 'Error');
  const { cause } = given;
  const error = fromErrorEnvelope({
    base: isServeError ? 'ServeError' : name,
    name: isServeError ? 'ServeError' : name,
    message: String(given.message ?? ''),
    stack: typeof given.stack === 'string' ? given.stack : undefined,
    data,
    ...(cause !== undefined && { cause: cause instanceof Error ? cause : toError(cause) }),
  });
  return error;
}
