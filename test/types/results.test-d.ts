import type { DeploymentHandle, DeploymentResponse, DeploymentStream } from 'inserve';
import type { Equal, Expect, Gives } from './expect.ts';

interface Item {
  id: number;
}
type Untyped = ReturnType<typeof JSON.parse>;

declare class Model {
  value(): Item;
  promise(): Promise<Item>;
  nested(): Promise<Promise<Item>>;
  thenable(): PromiseLike<Item>;
  nothing(): void;
  noReturn(): never;
  neverLater(): Promise<never>;
  flag(): boolean;
  union(): 'a' | 'b' | Item;
  eitherWay(): Item | Promise<string>;
  untyped(): Untyped;
  later(): Promise<Untyped>;
  unknown(): unknown;
  unknownLater(): Promise<unknown>;
  list(): Item[];
  set(): Set<Item>;
  tuple(): [string, ...number[]];
  generator(): Generator<Item, string, number>;
  asyncGenerator(): AsyncGenerator<Item, void, unknown>;
  asyncIterable(): AsyncIterable<Item>;
  iterableLater(): Promise<AsyncIterable<Item>>;
  webStream(): ReadableStream<Uint8Array>;
  untypedStream(): AsyncGenerator<Untyped>;
  streamOrValue(): Promise<AsyncIterable<string> | Item>;
  passedOn(): DeploymentStream<Item>;
  responsePassedOn(): DeploymentResponse<Item>;
  overloaded(value: string): string;
  overloaded(value: number): number;
  generic<T>(value: T): T[];
  constrained<T extends Item>(value: T): T;
  chained(): this;
}
type H = DeploymentHandle<typeof Model>;
type Of<K extends keyof H> = H[K] extends { remote(...args: never): unknown } ? Gives<H[K]> : never;

export type Unwrapped = [
  Expect<Equal<Of<'value'>, DeploymentResponse<Item>>>,
  Expect<Equal<Of<'promise'>, DeploymentResponse<Item>>>,
  Expect<Equal<Of<'nested'>, DeploymentResponse<Item>>>,
  Expect<Equal<Of<'thenable'>, DeploymentResponse<Item>>>,
  Expect<Equal<Of<'nothing'>, DeploymentResponse<void>>>,
  Expect<Equal<Of<'noReturn'>, DeploymentResponse<never>>>,
  Expect<Equal<Of<'neverLater'>, DeploymentResponse<never>>>,
  Expect<Equal<Of<'responsePassedOn'>, DeploymentResponse<Item>>>,
];

export type UnionsStayOne = [
  Expect<Equal<Of<'flag'>, DeploymentResponse<boolean>>>,
  Expect<Equal<Of<'union'>, DeploymentResponse<'a' | 'b' | Item>>>,
  Expect<Equal<Of<'eitherWay'>, DeploymentResponse<Item | string>>>,
];

export type AnyAndUnknownStay = [
  Expect<Equal<Of<'untyped'>, DeploymentResponse<Untyped>>>,
  Expect<Equal<Of<'later'>, DeploymentResponse<Untyped>>>,
  Expect<Equal<Of<'unknown'>, DeploymentResponse<unknown>>>,
  Expect<Equal<Of<'unknownLater'>, DeploymentResponse<unknown>>>,
];

export type CollectionsAreValues = [
  Expect<Equal<Of<'list'>, DeploymentResponse<Item[]>>>,
  Expect<Equal<Of<'set'>, DeploymentResponse<Set<Item>>>>,
  Expect<Equal<Of<'tuple'>, DeploymentResponse<[string, ...number[]]>>>,
];

export type GeneratorsAreStreams = [
  Expect<Equal<Of<'generator'>, DeploymentStream<Item>>>,
  Expect<Equal<Of<'asyncGenerator'>, DeploymentStream<Item>>>,
  Expect<Equal<Of<'asyncIterable'>, DeploymentStream<Item>>>,
  Expect<Equal<Of<'iterableLater'>, DeploymentStream<Item>>>,
  Expect<Equal<Of<'webStream'>, DeploymentStream<Uint8Array>>>,
  Expect<Equal<Of<'untypedStream'>, DeploymentStream<Untyped>>>,
  Expect<Equal<Of<'passedOn'>, DeploymentStream<Item>>>,
  Expect<Equal<Of<'streamOrValue'>, DeploymentResponse<DeploymentStream<string> | Item>>>,
];

export type KnownLimits = [
  Expect<Equal<Of<'overloaded'>, DeploymentResponse<number>>>,
  Expect<Equal<Of<'generic'>, DeploymentResponse<unknown[]>>>,
  Expect<Equal<Of<'constrained'>, DeploymentResponse<Item>>>,
];

declare const handle: H;

export async function aResponseIsAPromise(): Promise<void> {
  const item: Item = await handle.promise.remote();
  const promise: Promise<Item> = handle.promise.remote();
  const [flag, both] = await Promise.all([handle.flag.remote(), handle.union.remote()]);
  const types: [boolean, 'a' | 'b' | Item] = [flag, both];
  const response = handle.value.remote();
  response.cancel('enough');
  const id: string = response.requestId;
  const { queuedMs, replica } = response.explain();
  const numbers: [number, string | undefined] = [queuedMs, replica];
  await using disposed = handle.value.remote();
  void [item, promise, types, id, numbers, disposed];
}

export async function aStreamIsIterated(): Promise<void> {
  const stream = handle.asyncGenerator.remote();
  for await (const item of stream) void (item satisfies Item);
  stream.cancel();
  await using disposed = handle.generator.remote();
  void disposed.requestId;
  // @ts-expect-error a stream is no promise of a value
  const value: Promise<Item> = handle.generator.remote();
  // @ts-expect-error a value is no stream
  for await (const item of handle.value.remote()) void item;
  void value;
}
