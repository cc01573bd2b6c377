import type { DEPLOYMENT_TYPE } from './target.ts';
import type { TypeProblem } from './type-problem.ts';

/** Says where a value stands and why it cannot cross a thread. */
export interface NotSerializable<Path extends string, Why extends string>
  extends TypeProblem<`${Path} cannot cross a thread: ${Why}`> {}

/** Built-in values that cross as they are. */
type Atom =
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | Date
  | RegExp
  | ArrayBuffer
  | SharedArrayBuffer
  | ArrayBufferView
  | Blob;

/**
 * Whether a value is taken whole, without looking into it. An object with just a `name` and a `message` is not an
 * `Error`.
 */
export type IsWhole<T> = T extends Atom
  ? true
  : typeof DEPLOYMENT_TYPE extends keyof T
    ? true
    : T extends Error
      ? 'stack' extends keyof T
        ? true
        : false
      : false;

/**
 * Reason for which a value is refused whatever it holds; `never` if it is accepted. Mirrors `reasonAgainst` at compile
 * time.
 */
type Refusal<T> = T extends symbol
  ? 'it is a symbol'
  : T extends Function
    ? 'it is a function'
    : T extends AbortSignal
      ? 'it is an AbortSignal; pass it with options({ signal })'
      : T extends Request
        ? 'a Request is allowed as a whole argument only'
        : T extends Response
          ? 'it is an instance of class Response'
          : T extends Headers
            ? 'it is an instance of class Headers'
            : T extends URL
              ? 'it is an instance of class URL; pass its href'
              : T extends ReadableStream
                ? 'it is a stream'
                : T extends PromiseLike<unknown>
                  ? 'it is a promise; await it first'
                  : never;

/** Levels that remain to be checked. Deeper levels are accepted, so that self-referential types compile. */
type Depth = 0 | 1 | 2 | 3 | 4 | 5 | 6;
type Down = [never, 0, 1, 2, 3, 4, 5];

/**
 * Holds `true` if something in `T` is refused. It knows no paths, so the compiler works out each type once per level,
 * however often it occurs.
 */
type Refused<T, D extends Depth> = unknown extends T
  ? never
  : T extends unknown
    ? IsWhole<T> extends true
      ? never
      : [Refusal<T>] extends [never]
        ? T extends object
          ? [D] extends [0]
            ? never
            : RefusedWithin<T, Down[D]>
          : never
        : true
    : never;

type RefusedWithin<T, D extends Depth> =
  T extends ReadonlyMap<infer K, infer V>
    ? Refused<K, D> | Refused<V, D>
    : T extends ReadonlySet<infer V>
      ? Refused<V, D>
      : T extends readonly unknown[]
        ? { [I in keyof T]: Refused<T[I], D> }[number]
        : { [K in keyof T]: Refused<T[K], D> }[keyof T & (string | number)];

/**
 * `T` if it can cross a thread. Otherwise each part that cannot cross becomes an error that names its path; the rest,
 * such as the other members of a union and objects without an optional property, stays usable.
 *
 * @example Crossable<{ n: number; onDone?: () => void }, 'put(arg 0)'> // { n: number; onDone?:
 * NotSerializable<'put(arg 0).onDone', 'it is a function'> }
 */
export type Crossable<T, Path extends string, D extends Depth = 6> =
  true extends Refused<T, D>
    ? T extends unknown
      ? true extends Refused<T, D>
        ? [Refusal<T>] extends [never]
          ? Members<T, Path, Down[D]>
          : NotSerializable<Path, Refusal<T>>
        : T
      : never
    : T;

type Members<T, Path extends string, D extends Depth> =
  T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<Crossable<K, `${Path}[<key>]`, D>, Crossable<V, `${Path}[<value>]`, D>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<Crossable<V, `${Path}[<item>]`, D>>
      : T extends readonly unknown[]
        ? { [I in keyof T]: Crossable<T[I], `${Path}[${I extends string ? I : ''}]`, D> }
        : [Methods<T>] extends [never]
          ? { [K in keyof T]: Crossable<T[K], K extends string | number ? `${Path}.${K}` : Path, D> }
          : NotSerializable<`${Path}.${Methods<T>}`, MethodRefusal<Path>>;

/** In a constructor's parameters an object with methods is a deployment, for the most part. */
type MethodRefusal<Path extends string> = Path extends `bind(${string}`
  ? 'it is a function; a deployment arrives as a handle: type it DeploymentHandle<typeof Model>'
  : 'it is a function';

/** Names of the functions that an object always has: an instance of a class, for the most part. */
type Methods<T> = keyof {
  [K in keyof T & string as unknown extends T[K]
    ? never
    : T[K] extends Function
      ? string extends K
        ? never
        : K
      : never]: K;
};
