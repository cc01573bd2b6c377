import type { BoundDeploymentOf } from '../deployment/deployment-types.ts';
import type { GraphNode } from '../deployment/graph-node.ts';
import type { IsWhole } from '../handle/api/crossable.ts';
import type { IsAny } from '../handle/api/target.ts';

/** The parts that can be selected from the input. A value that may be absent has no parts. */
type Parts<In> =
  IsAny<In> extends true
    ? { readonly [key: string]: InputNode<In> }
    : unknown extends In
      ? unknown
      : IsWhole<In> extends true
        ? unknown
        : In extends readonly unknown[]
          ? Items<In>
          : In extends object
            ? { readonly [K in Exclude<keyof In, symbol | Refused>]-?: InputNode<In[K]> }
            : unknown;

/** A tuple has its own items, an array any; the first ones by name, so that `noUncheckedIndexedAccess` lets them be. */
type Items<In extends readonly unknown[]> = number extends In['length']
  ? { readonly [index: number]: InputNode<In[number]> } & {
      readonly [K in 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9]: InputNode<In[number]>;
    }
  : { readonly [K in Extract<keyof In, `${number}`>]: InputNode<In[K]> };

/** Names that an `InputNode` refuses. */
type Refused =
  | Exclude<keyof unknown[], number | symbol | 'length'>
  | 'then'
  | 'catch'
  | 'finally'
  | 'toJSON'
  | 'valueOf';

/** The input of a request in a deployment graph, or a part of it. `input.field` and `input[0]` select from it. */
export type InputNode<In> = GraphNode<In> & Parts<In>;

/** The arguments of a graph: a single one is the input itself, several are the input as a tuple. */
export type GraphArguments<In> = [unknown] extends [In]
  ? unknown[]
  : [In] extends [readonly [unknown, unknown, ...unknown[]]]
    ? [input: In] | In
    : [undefined] extends [In]
      ? [input?: In]
      : [input: In];

/** The remote methods of a graph. */
export interface GraphMethods<In, R> {
  /** Runs a graph that has one route. */
  predict(...args: GraphArguments<In>): R;
  /** Runs the graph of a route. */
  predictWithRoute(route: string, ...args: GraphArguments<In>): R;
  /** Answers HTTP requests; not remote. */
  fetch(request: Request): Promise<unknown>;
}

/** A deployment graph with its driver: `run`, `middleware` and `handle` accept it. */
export type BoundDag<In, R> = BoundDeploymentOf<GraphMethods<In, R>>;

/** The value of a node. */
export type ValueOf<N> = N extends GraphNode<infer R> ? R : never;
