import type { DeploymentHandle, DeploymentResponse, NotSerializable } from 'inserve';
import type { Equal, Expect, Takes } from './expect.ts';

type Untyped = ReturnType<typeof JSON.parse>;
type Or<T> = T | DeploymentResponse<T>;

interface Tree {
  value: number;
  children: Tree[];
  parent?: Tree;
}
type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
interface Deep {
  level: { level: { level: { level: { level: { level: { level: { done: () => void } } } } } } };
}
class Refusal extends Error {
  readonly status = 400;
  toText(): string {
    return this.message;
  }
}

declare class Model {
  none(): void;
  two(text: string, count: number): void;
  optional(text: string, count?: number): void;
  rest(text: string, ...counts: number[]): void;
  union(value: string | number | boolean): void;
  untyped(value: Untyped): void;
  unknown(value: unknown): void;
  request(request: Request): void;
  requestOrText(request: Request | string): void;
  tree(tree: Tree): void;
  json(value: Json): void;
  deep(value: Deep): void;
  handle(child: DeploymentHandle<typeof Model>): void;
  builtIns(
    value:
      | Map<string, Date>
      | Set<bigint>
      | RegExp
      | Error
      | ArrayBuffer
      | SharedArrayBuffer
      | DataView
      | Buffer
      | Blob,
  ): void;
  failure(error: Refusal): void;
  tuple(pair: readonly [Float32Array, { label: string }?]): void;
  record(counts: Record<string, number[]>): void;
  generic<T>(value: T): void;
  overloaded(value: string): void;
  overloaded(value: number, unit: string): void;
  anything(value: object, other: {}): void;
}
type H = DeploymentHandle<typeof Model>;

export type AValueOrTheResponseOfACall = [
  Expect<Equal<Takes<H['none']>, []>>,
  Expect<Equal<Takes<H['two']>, [text: Or<string>, count: Or<number>]>>,
  Expect<Equal<Takes<H['rest']>, [text: Or<string>, ...counts: Or<number>[]]>>,
  Expect<Equal<Takes<H['union']>, [value: Or<string | number | boolean>]>>,
  Expect<Equal<Takes<H['request']>, [request: Or<Request>]>>,
  Expect<Equal<Takes<H['requestOrText']>, [request: Or<Request | string>]>>,
  Expect<Equal<Takes<H['record']>, [counts: Or<Record<string, number[]>>]>>,
  Expect<Equal<Takes<H['overloaded']>, [value: Or<number>, unit: Or<string>]>>,
];

export type AnyAndUnknownStay = [
  Expect<Equal<Takes<H['untyped']>, [value: Untyped]>>,
  Expect<Equal<Takes<H['unknown']>, [value: unknown]>>,
  Expect<Equal<Takes<H['generic']>, [value: unknown]>>,
];

export type WhatCrossesStaysAsItIs = [
  Expect<Equal<Takes<H['tree']>, [tree: Or<Tree>]>>,
  Expect<Equal<Takes<H['json']>, [value: Or<Json>]>>,
  Expect<Equal<Takes<H['deep']>, [value: Or<Deep>]>>,
  Expect<Equal<Takes<H['handle']>, [child: Or<DeploymentHandle<typeof Model>>]>>,
  Expect<Equal<Takes<H['failure']>, [error: Or<Refusal>]>>,
  Expect<Equal<Takes<H['tuple']>, [pair: Or<readonly [Float32Array, { label: string }?]>]>>,
  Expect<Equal<Takes<H['anything']>, [value: Or<object>, other: Or<{}>]>>,
];

declare const handle: H;
declare const count: DeploymentResponse<number>;
declare const narrow: DeploymentResponse<'a'>;
declare const request: Request;

export function calls(): void {
  handle.two.remote('a', count);
  handle.two.remote(narrow, count);
  handle.optional.remote('a');
  handle.optional.remote('a', undefined);
  handle.optional.remote('a', count);
  handle.rest.remote('a', 1, count, 3);
  handle.union.remote(Math.random() > 0.5);
  handle.request.remote(request);
  handle.handle.remote(handle);
  handle.builtIns.remote(Buffer.from('a'));
  handle.builtIns.remote(new Map([['a', new Date()]]));
  handle.json.remote({ a: [1, 'b', { c: null }] });
  handle.tree.remote({ value: 1, children: [] });
  // @ts-expect-error an argument is missing
  handle.two.remote('a');
  // @ts-expect-error one argument too many
  handle.none.remote(1);
  // @ts-expect-error another type
  handle.two.remote('a', 'b');
  // @ts-expect-error the response of another type
  handle.two.remote(count, count);
  // @ts-expect-error a promise that is not a response is awaited by the caller
  handle.two.remote(Promise.resolve('a'), 1);
  // @ts-expect-error no such method
  handle.tow.remote('a', 1);
}

type It<Where extends string, Why extends string> = NotSerializable<Where, Why>;

class Model2 {
  readonly weights = new Float32Array(2);
  run(): void {}
  stop(): void {}
}
declare class Wrong {
  fn(done: () => void): void;
  klass(type: typeof Model2): void;
  symbol(key: symbol): void;
  instance(model: Model2): void;
  signal(clip: Float32Array, signal?: AbortSignal): void;
  url(url: URL): void;
  headers(headers: Headers): void;
  response(response: Response): void;
  stream(stream: ReadableStream): void;
  promise(later: Promise<number>): void;
  nested(options: { a: { done: () => void; n: number } }): void;
  optional(options: { n: number; onDone?: () => void }): void;
  list(items: (() => void)[]): void;
  tuple(pair: [string, () => void]): void;
  byName(map: Map<string, URL>): void;
  keyed(map: Map<URL, string>): void;
  set(set: ReadonlySet<symbol>): void;
  inside(body: { request: Request }): void;
  rest(...all: symbol[]): void;
  either(value: string | (() => string)): void;
  record(all: Record<string, () => void>): void;
  named(almost: { name: string; message: string; cb: () => void }): void;
  besideAny(options: { untyped: Untyped; cb: () => void }): void;
  tupleBesideAny(pair: [Untyped, symbol?]): void;
  call(signal: AbortSignal): void;
}
type W = DeploymentHandle<typeof Wrong>;
type First<M extends { remote(...args: never): unknown }> = Takes<M>[0];

export type WhatCannotCrossNamesMethodArgumentAndPath = [
  Expect<Equal<First<W['fn']>, It<'fn(arg 0)', 'it is a function'>>>,
  Expect<Equal<First<W['klass']>, It<'klass(arg 0)', 'it is a function'>>>,
  Expect<Equal<First<W['symbol']>, It<'symbol(arg 0)', 'it is a symbol'>>>,
  Expect<Equal<First<W['url']>, It<'url(arg 0)', 'it is an instance of class URL; pass its href'>>>,
  Expect<Equal<First<W['headers']>, It<'headers(arg 0)', 'it is an instance of class Headers'>>>,
  Expect<Equal<First<W['response']>, It<'response(arg 0)', 'it is an instance of class Response'>>>,
  Expect<Equal<First<W['stream']>, It<'stream(arg 0)', 'it is a stream'>>>,
  Expect<Equal<First<W['promise']>, It<'promise(arg 0)', 'it is a promise; await it first'>>>,
  Expect<
    Equal<
      Parameters<W['remote']>[0],
      It<'call(arg 0)', 'it is an AbortSignal; pass it with options({ signal })'>
    >
  >,
  Expect<Equal<First<W['instance']>, It<'instance(arg 0).run' | 'instance(arg 0).stop', 'it is a function'>>>,
  Expect<Equal<First<W['named']>, It<'named(arg 0).cb', 'it is a function'>>>,
  Expect<Equal<First<W['besideAny']>, It<'besideAny(arg 0).cb', 'it is a function'>>>,
  Expect<Equal<Takes<W['rest']>, It<'rest(...args)', 'it is a symbol'>[]>>,
];

export type TheRestOfTheArgumentStaysUsable = [
  Expect<Equal<First<W['nested']>, Or<{ a: It<'nested(arg 0).a.done', 'it is a function'> }>>>,
  Expect<
    Equal<First<W['optional']>, Or<{ n: number; onDone?: It<'optional(arg 0).onDone', 'it is a function'> }>>
  >,
  Expect<Equal<First<W['list']>, Or<It<'list(arg 0)[]', 'it is a function'>[]>>>,
  Expect<Equal<First<W['tuple']>, Or<[string, It<'tuple(arg 0)[1]', 'it is a function'>]>>>,
  Expect<
    Equal<
      First<W['byName']>,
      Or<ReadonlyMap<string, It<'byName(arg 0)[<value>]', 'it is an instance of class URL; pass its href'>>>
    >
  >,
  Expect<
    Equal<
      First<W['keyed']>,
      Or<ReadonlyMap<It<'keyed(arg 0)[<key>]', 'it is an instance of class URL; pass its href'>, string>>
    >
  >,
  Expect<Equal<First<W['set']>, Or<ReadonlySet<It<'set(arg 0)[<item>]', 'it is a symbol'>>>>>,
  Expect<
    Equal<
      First<W['inside']>,
      Or<{ request: It<'inside(arg 0).request', 'a Request is allowed as a whole argument only'> }>
    >
  >,
  Expect<Equal<First<W['either']>, Or<string | It<'either(arg 0)', 'it is a function'>>>>,
  Expect<Equal<First<W['record']>, Or<{ [x: string]: It<`record(arg 0).${string}`, 'it is a function'> }>>>,
  Expect<Equal<First<W['tupleBesideAny']>, Or<[Untyped, It<'tupleBesideAny(arg 0)[1]', 'it is a symbol'>?]>>>,
];

declare const wrong: W;
export function usable(): void {
  wrong.signal.remote(new Float32Array(1));
  wrong.optional.remote({ n: 1 });
  wrong.either.remote('text');
  // @ts-expect-error a function
  wrong.either.remote(() => 'text');
  // @ts-expect-error a function within
  wrong.optional.remote({ n: 1, onDone: () => {} });
  // @ts-expect-error pass it with options({ signal })
  wrong.signal.remote(new Float32Array(1), AbortSignal.timeout(1));
}
