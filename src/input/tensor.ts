import type { ValidationIssue } from '../errors.ts';
import { invalidInput } from '../validation/schema.ts';
import { jsonRequest } from './adapters.ts';

interface Kind<A> {
  readonly create: (length: number) => A;
  /** Whether the type can hold exactly this value. */
  readonly accepts: (value: unknown) => boolean;
  /** Ends the sentence "expected …". */
  readonly allowed: string;
}

function integers<A>(create: (length: number) => A, min: number, max: number): Kind<A> {
  return {
    create,
    accepts: (value) => Number.isInteger(value) && (value as number) >= min && (value as number) <= max,
    allowed: `an integer from ${min} to ${max}`,
  };
}

function bigIntegers<A>(create: (length: number) => A, min: bigint, max: bigint): Kind<A> {
  return {
    create,
    accepts: (value) => {
      // A number beyond 2^53 was rounded when the JSON was read, so such integers must come as text.
      if (typeof value === 'number' && !Number.isSafeInteger(value)) return false;
      if (typeof value !== 'number' && !(typeof value === 'string' && /^-?\d{1,20}$/.test(value)))
        return false;
      const exact = BigInt(value);
      return exact >= min && exact <= max;
    },
    allowed: `an integer from ${min} to ${max} (beyond 2^53 as a string)`,
  };
}

function floats<A>(create: (length: number) => A, max: number, name: string): Kind<A> {
  return {
    create,
    accepts: (value) => typeof value === 'number' && Math.abs(value) <= max,
    allowed: `a number within the range of ${name}`,
  };
}

/** The largest float32: (2 − 2⁻²³) × 2¹²⁷. */
const MAX_FLOAT32 = 3.4028234663852886e38;

const KINDS = {
  float32: floats((length) => new Float32Array(length), MAX_FLOAT32, 'float32'),
  float64: floats((length) => new Float64Array(length), Number.MAX_VALUE, 'float64'),
  int8: integers((length) => new Int8Array(length), -128, 127),
  uint8: integers((length) => new Uint8Array(length), 0, 255),
  int16: integers((length) => new Int16Array(length), -32_768, 32_767),
  uint16: integers((length) => new Uint16Array(length), 0, 65_535),
  int32: integers((length) => new Int32Array(length), -2_147_483_648, 2_147_483_647),
  uint32: integers((length) => new Uint32Array(length), 0, 4_294_967_295),
  int64: bigIntegers((length) => new BigInt64Array(length), -(2n ** 63n), 2n ** 63n - 1n),
  uint64: bigIntegers((length) => new BigUint64Array(length), 0n, 2n ** 64n - 1n),
  bool: {
    create: (length: number) => new Uint8Array(length),
    accepts: (value: unknown) => typeof value === 'boolean' || value === 0 || value === 1,
    allowed: 'true or false',
  },
} as const;

/** Names of the element types, as in ONNX and numpy. */
export type TensorType = keyof typeof KINDS;

/** The typed array of an element type; `bool` is a `Uint8Array` of 0 and 1. */
export type TensorArray<D extends TensorType = TensorType> = D extends TensorType
  ? ReturnType<(typeof KINDS)[D]['create']>
  : never;

/** A tensor as plain data: its elements in row-major order. */
export type JsonTensor<D extends TensorType = TensorType> = D extends TensorType
  ? {
      readonly array: TensorArray<D>;
      /** The length of each dimension, the outermost first; empty for a scalar. */
      readonly shape: readonly number[];
      readonly dtype: D;
    }
  : never;

/**
 * An HTTP adapter for tensors: a JSON body `{ array, shape?, dtype? }`. `array` is nested like the tensor, or flat if
 * `shape` says how to read it. `shape` defaults to the nesting of `array`, `dtype` to `'float32'`.
 *
 * @returns the elements as one typed array, with the shape
 * @throws ServeError as `jsonRequest` does; `SERVE_VALIDATION` (422) for a ragged array, a shape that does not fit, or an
 *   element that the type cannot hold exactly (fractions of `float32` are rounded)
 */
export async function jsonToTensor(request: Request): Promise<JsonTensor> {
  return toTensor(await jsonRequest(request));
}

/** @throws ServeError `SERVE_VALIDATION` */
export function toTensor(value: unknown): JsonTensor {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused([], 'expected an object { array, shape?, dtype? }');
  }
  const { array, shape, dtype = 'float32', ...rest } = value as Record<string, unknown>;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw refused([unknown.slice(0, 100)], 'unknown key; there are array, shape, dtype');
  if (typeof dtype !== 'string' || !Object.hasOwn(KINDS, dtype)) {
    throw refused(['dtype'], `expected one of ${Object.keys(KINDS).join(', ')}`);
  }
  const given = shape === undefined ? undefined : parseShape(shape);
  const nested = shapeOf(array);
  if (given !== undefined && !fits(given, nested)) {
    const isFlat = nested.length === 1;
    const found = isFlat ? `the array has ${nested} elements` : `the array is nested as [${nested}]`;
    throw refused(['shape'], `[${given}] does not fit: ${found}`);
  }
  const type = dtype as TensorType;
  const elements = elementsOf(array, nested, KINDS[type]);
  return { array: toTypedArray(elements, type), shape: given ?? nested, dtype: type } as JsonTensor;
}

function parseShape(shape: unknown): number[] {
  const isLength = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0;
  if (Array.isArray(shape) && shape.length <= 64 && shape.every(isLength)) return shape as number[];
  throw refused(['shape'], 'expected a list of at most 64 integers ≥ 0');
}

/** A flat array may have any shape of as many elements; a nested one has its own. */
function fits(given: readonly number[], nested: readonly number[]): boolean {
  if (nested.length <= 1) return product(given) === product(nested);
  return given.length === nested.length && given.every((length, index) => length === nested[index]);
}

function product(shape: readonly number[]): number {
  return shape.reduce((all, length) => all * length, 1);
}

/** The shape according to the first element of each level; `elementsOf` checks the others. */
function shapeOf(array: unknown): number[] {
  const shape: number[] = [];
  for (let at = array; Array.isArray(at); at = at[0]) shape.push(at.length);
  return shape;
}

/** Collects the elements. Checks that every list is as long as the first one of its level, before memory is allocated. */
function elementsOf(
  array: unknown,
  shape: readonly number[],
  { accepts, allowed }: Kind<unknown>,
): unknown[] {
  const elements: unknown[] = [];
  const path: number[] = [];
  const visit = (value: unknown, depth: number): void => {
    path.length = depth;
    if (depth === shape.length) {
      if (!accepts(value)) throw refused(['array', ...path], `expected ${allowed}`);
      elements.push(value);
      return;
    }
    if (!Array.isArray(value) || value.length !== shape[depth]) {
      throw refused(['array', ...path], `expected a list of ${shape[depth]}, as in the first of its level`);
    }
    for (let index = 0; index < value.length; index++) {
      path[depth] = index;
      visit(value[index], depth + 1);
    }
  };
  visit(array, 0);
  return elements;
}

function toTypedArray(elements: readonly unknown[], dtype: TensorType): TensorArray {
  const array = KINDS[dtype].create(elements.length);
  if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
    for (let index = 0; index < elements.length; index++) array[index] = BigInt(elements[index] as string);
  } else {
    for (let index = 0; index < elements.length; index++) array[index] = Number(elements[index]);
  }
  return array;
}

function refused(path: ValidationIssue['path'], message: string): Error {
  return invalidInput('the tensor', [{ path, message }]);
}
