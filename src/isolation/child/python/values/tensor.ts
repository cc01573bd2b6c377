/** Element types of tensors. `float16` has its bits in a `Uint16Array`, `bool` is a `Uint8Array` of 0 and 1. */
const ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  bool: Uint8Array,
} as const;

/** Name of an element type, as in numpy. */
export type TensorDtype = keyof typeof ARRAYS;

/** The typed array of an element type. */
export type TensorData<D extends TensorDtype = TensorDtype> = InstanceType<(typeof ARRAYS)[D]>;

/** An array with a shape, as plain data: a numpy array or a tensor in Python. */
export interface Tensor<D extends TensorDtype = TensorDtype> {
  readonly dtype: D;
  /** The length of each dimension, the outermost first; empty for a scalar. */
  readonly shape: readonly number[];
  /** The elements in row-major order. */
  readonly data: TensorData<D>;
}

/** Nested arrays of the elements of a tensor. */
export type NestedNumbers = number | bigint | boolean | NestedNumbers[];

export function isTensorDtype(value: unknown): value is TensorDtype {
  return typeof value === 'string' && Object.hasOwn(ARRAYS, value);
}

/** Bytes of one element. */
export function bytesPerElement(dtype: TensorDtype): number {
  return ARRAYS[dtype].BYTES_PER_ELEMENT;
}

/** A typed array over received memory, which is copied only if it is not aligned. */
export function toTypedArray(dtype: TensorDtype, bytes: Uint8Array<ArrayBuffer>): TensorData {
  const { BYTES_PER_ELEMENT } = ARRAYS[dtype];
  const isAligned = bytes.byteOffset % BYTES_PER_ELEMENT === 0;
  const { buffer, byteOffset, byteLength } = isAligned ? bytes : bytes.slice();
  return new ARRAYS[dtype](buffer, byteOffset, byteLength / BYTES_PER_ELEMENT);
}

/** The element type of a typed array; undefined for bytes (`Uint8Array`, `Buffer`, `DataView`). */
export function dtypeOf(view: ArrayBufferView): TensorDtype | undefined {
  switch (Object.prototype.toString.call(view)) {
    case '[object Float64Array]':
      return 'float64';
    case '[object Float32Array]':
      return 'float32';
    case '[object Float16Array]':
      return 'float16';
    case '[object Int8Array]':
      return 'int8';
    case '[object Uint8ClampedArray]':
      return 'uint8';
    case '[object Int16Array]':
      return 'int16';
    case '[object Uint16Array]':
      return 'uint16';
    case '[object Int32Array]':
      return 'int32';
    case '[object Uint32Array]':
      return 'uint32';
    case '[object BigInt64Array]':
      return 'int64';
    case '[object BigUint64Array]':
      return 'uint64';
    default:
      return undefined;
  }
}

/** The number of elements of a shape. */
export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((all, length) => all * length, 1);
}

/**
 * A plain object that is a tensor: `{ dtype, shape, data }`, or `{ dtype, shape, array }` as `jsonToTensor` makes it.
 * @returns undefined for any other object
 */
export function asTensor(value: object): Tensor | undefined {
  if (!('dtype' in value) || !('shape' in value)) return undefined;
  const { dtype, shape, ...rest } = value as {
    dtype: unknown;
    shape: unknown;
    data?: unknown;
    array?: unknown;
  };
  const { data = rest.array } = rest;
  if (!isTensorDtype(dtype) || !Array.isArray(shape) || !ArrayBuffer.isView(data)) return undefined;
  if (Object.keys(rest).length !== 1 || !shape.every((length) => Number.isInteger(length) && length >= 0))
    return undefined;
  return { dtype, shape: shape as number[], data: data as TensorData };
}

/** The elements as nested arrays, for JSON. */
export function nested({ dtype, shape, data }: Tensor): NestedNumbers {
  const elements =
    dtype === 'bool' ? Array.from(data as Uint8Array, Boolean) : Array.from<number | bigint>(data);
  const level = (depth: number, from: number, count: number): NestedNumbers => {
    const length = shape[depth];
    if (length === undefined) return elements[from] ?? 0;
    const step = length === 0 ? 0 : count / length;
    if (depth === shape.length - 1) return elements.slice(from, from + length);
    return Array.from({ length }, (_, index) => level(depth + 1, from + index * step, step));
  };
  return level(0, 0, elements.length);
}

/**
 * A tensor as user code gets it: a scalar without dimensions, the typed array of one dimension, else the tensor itself.
 */
export function toPublic(tensor: Tensor): Tensor | TensorData | number | bigint | boolean {
  const { dtype, shape, data } = tensor;
  if (shape.length === 0) return dtype === 'bool' ? data[0] !== 0 : (data[0] ?? 0);
  return shape.length === 1 && dtype !== 'float16' ? data : tensor;
}

/** The rows of a tensor, one per length of its outermost dimension. */
export function rowsOf({ dtype, shape, data }: Tensor): unknown[] {
  const [count = 0, ...rest] = shape;
  const size = elementsOf(rest);
  return Array.from({ length: count }, (_, row) => {
    const part = data.subarray(row * size, (row + 1) * size) as TensorData;
    return toPublic({ dtype, shape: rest, data: part });
  });
}
