import { types } from 'node:util';
import { isInstance, peek } from '../validation/peek.ts';

/** The constructor of one kind of view. The elements of a `DataView` count as one byte. */
export type ViewConstructor = (new (
  buffer: ArrayBuffer,
  start?: number,
  length?: number,
) => ArrayBufferView) & { readonly BYTES_PER_ELEMENT?: number };

const viewConstructors = new Map<object, ViewConstructor>();
for (const name of [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
]) {
  const view: (ViewConstructor & { prototype: object }) | undefined = Reflect.get(globalThis, name);
  if (view !== undefined) viewConstructors.set(view.prototype, view);
}

/** This realm's constructor for a view of any realm; undefined for a subclass made by user code. */
export function viewConstructor(value: ArrayBufferView): ViewConstructor | undefined {
  const prototype: object = Object.getPrototypeOf(value);
  const known = viewConstructors.get(prototype);
  if (known !== undefined) return known;
  // A view of another realm (`node:vm`) has the same name and another prototype.
  const tag: unknown = Reflect.get(value, Symbol.toStringTag);
  return typeof tag === 'string' && isForeign(prototype, tag)
    ? (Reflect.get(globalThis, tag) as ViewConstructor)
    : undefined;
}

/** Whether `prototype` belongs to a built-in of another realm, such as `Object.prototype` inside `node:vm`. */
export function isForeign(prototype: object | null, name: string): boolean {
  // A prototype may be a Proxy, whose traps may throw.
  if (prototype === null || types.isProxy(prototype)) return false;
  const maker = Object.hasOwn(prototype, 'constructor') ? peek(prototype, 'constructor') : undefined;
  return (
    typeof maker === 'function' &&
    maker.name === name &&
    maker !== Reflect.get(globalThis, name) &&
    Function.prototype.toString.call(maker).includes('[native code]')
  );
}

/** Whether `prototype` belongs to the built-in, in this realm or another. */
export function isBuiltIn(prototype: object | null, builtIn: Function): boolean {
  return prototype === builtIn.prototype || isForeign(prototype, builtIn.name);
}

/** The reason why an object that is not of an allowed kind is refused. */
export function reasonAgainst(value: object): string {
  if (types.isProxy(value)) return 'it is a Proxy; pass a plain copy of what it stands for';
  if (isInstance(value, AbortSignal)) return 'it is an AbortSignal; pass it with `options({ signal })`';
  if (isInstance(value, Request)) return 'a Request is allowed as a whole argument only, not inside a value';
  if (isInstance(value, ReadableStream))
    return 'it is a stream; return it from the method to stream a result';
  if (types.isPromise(value)) return 'it is a promise; await it first (a response may be a whole argument)';
  const name = peek(peek(value, 'constructor'), 'name');
  return `it is an instance of class ${typeof name === 'string' && name !== '' ? name : '(anonymous)'}`;
}

export function reasonAgainstPrimitive(value: Function | symbol): string {
  if (typeof value === 'symbol') return 'it is a symbol';
  const name = peek(value, 'name');
  return typeof name === 'string' && name !== '' ? `it is a function (${name})` : 'it is a function';
}
