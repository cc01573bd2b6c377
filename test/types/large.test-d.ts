import type { DeploymentHandle } from 'inserve';
import type { Equal, Expect, Takes } from './expect.ts';

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

interface Tree {
  name: string;
  parent?: Tree;
  children: Tree[];
  byName: Map<string, Tree>;
}
/** Each of these refers to all of the others. */
interface Graph {
  id: bigint;
  nodes: Graph[];
  boxes: Set<Box>;
  events: Map<string, Event>;
  tree: Tree;
  root: Graph | null;
  options: Options;
}
interface Box {
  graph: Graph;
  inner: Box[];
  corners: [number, number, number, number];
  event?: Event;
  options: Options;
}
interface Event {
  at: Date;
  box: Box;
  graph: Graph;
  causes: Event[];
  tree: Tree;
}
interface Options {
  graph: Graph;
  box: Box;
  event: Event;
  rest: Record<string, Json>;
}

/** 60 methods over types that refer to themselves and to each other: what the compilers work for is capped. */
declare class Large {
  scan(tree: Tree, options?: Options): Promise<Tree>;
  parse(node: Graph, weight: number): AsyncGenerator<Graph>;
  score(values: Map<string, Json>, ...rest: Json[]): Json;
  embed(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  rank(event: Event, done: (graph: Graph) => void): Event;
  merge(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  split(tree: Tree, options?: Options): Promise<Tree>;
  trace(node: Graph, weight: number): AsyncGenerator<Graph>;
  blend(values: Map<string, Json>, ...rest: Json[]): Json;
  crop(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  align(event: Event, done: (graph: Graph) => void): Event;
  detect(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  label(tree: Tree, options?: Options): Promise<Tree>;
  match(node: Graph, weight: number): AsyncGenerator<Graph>;
  index(values: Map<string, Json>, ...rest: Json[]): Json;
  store(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  fetchOne(event: Event, done: (graph: Graph) => void): Event;
  route(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  shard(tree: Tree, options?: Options): Promise<Tree>;
  pack(node: Graph, weight: number): AsyncGenerator<Graph>;
  walk(values: Map<string, Json>, ...rest: Json[]): Json;
  prune(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  grow(event: Event, done: (graph: Graph) => void): Event;
  fold(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  sort(tree: Tree, options?: Options): Promise<Tree>;
  group(node: Graph, weight: number): AsyncGenerator<Graph>;
  join(values: Map<string, Json>, ...rest: Json[]): Json;
  pair(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  plan(event: Event, done: (graph: Graph) => void): Event;
  probe(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  sample(tree: Tree, options?: Options): Promise<Tree>;
  seal(node: Graph, weight: number): AsyncGenerator<Graph>;
  sense(values: Map<string, Json>, ...rest: Json[]): Json;
  shift(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  slice(event: Event, done: (graph: Graph) => void): Event;
  smooth(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  solve(tree: Tree, options?: Options): Promise<Tree>;
  stack(node: Graph, weight: number): AsyncGenerator<Graph>;
  start(values: Map<string, Json>, ...rest: Json[]): Json;
  stem(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  step(event: Event, done: (graph: Graph) => void): Event;
  stitch(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  sum(tree: Tree, options?: Options): Promise<Tree>;
  swap(node: Graph, weight: number): AsyncGenerator<Graph>;
  sweep(values: Map<string, Json>, ...rest: Json[]): Json;
  tag(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  test(event: Event, done: (graph: Graph) => void): Event;
  tile(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  token(tree: Tree, options?: Options): Promise<Tree>;
  trim(node: Graph, weight: number): AsyncGenerator<Graph>;
  tune(values: Map<string, Json>, ...rest: Json[]): Json;
  turn(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  unify(event: Event, done: (graph: Graph) => void): Event;
  unpack(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
  verify(tree: Tree, options?: Options): Promise<Tree>;
  view(node: Graph, weight: number): AsyncGenerator<Graph>;
  warp(values: Map<string, Json>, ...rest: Json[]): Json;
  weigh(image: Uint8Array, box: readonly [number, number, number, number]): Promise<Box[]>;
  window(event: Event, done: (graph: Graph) => void): Event;
  wrap(table: Record<string, Box | Tree | Graph>): Map<string, Graph>;
}

type Handle = DeploymentHandle<typeof Large>;
declare const handle: Handle;

export type AllSixty = Expect<Equal<Exclude<keyof Handle & string, 'options' | 'broadcast'>, keyof Large>>;
export type EachParameterIsWorkedOut = { [K in keyof Large]: Takes<Handle[K]> };
export const each: EachParameterIsWorkedOut[keyof Large][] = [];

export async function calls(tree: Tree, graph: Graph, event: Event): Promise<void> {
  await handle.scan.remote(handle.scan.remote(tree));
  for await (const next of handle.parse.remote(graph, 1)) void (next satisfies Graph);
  await handle.score.remote(new Map([['a', [1, { b: null }]]]), 'rest');
  for (const box of await handle.embed.remote(new Uint8Array(1), [0, 0, 1, 1])) void box.graph;
  // @ts-expect-error a function cannot cross a thread
  await handle.rank.remote(event, () => {});
}
