import { inspect } from 'node:util';
import { invalidOption, ServeError } from '../errors.ts';
import { Capture } from '../values/capture.ts';
import { PORTABLE, type Portable } from '../values/marks.ts';
import { revive } from '../values/revive.ts';
import type { BoundDeployment } from './bound.ts';

/** Carries the type of a node's value; nothing is there at run time. */
export declare const NODE_TYPE: unique symbol;

/** A place in a deployment graph that has a value of type `R` during a request: a call, or the request's input. */
export interface GraphNode<R> {
  readonly [NODE_TYPE]: R;
}

/** Nodes may only stand in the arguments of other nodes. */
let isBindingNode = false;

/** What a node answers when somebody wants to send it to a thread. @throws ServeError outside the arguments of a node */
export function assertInGraph(what: string): undefined {
  if (isBindingNode) return undefined;
  throw new ServeError(
    'SERVE_INVALID_OPTION',
    `${what} has a value only while a graph runs: give it to another node, as in bound.method.bind(node) or fn.bind(node)`,
  );
}

/** A copy of bound arguments, taken when they are bound. Bound deployments (and nodes, where allowed) stay themselves. */
export function copyArguments(args: readonly unknown[], name: string): readonly unknown[] {
  const capture = new Capture();
  const taken = capture.takeAll(args, name);
  return capture.marks === undefined ? taken : (revive(taken, capture.marks) as unknown[]);
}

let created = 0;

/** One call site of a graph: a method of a bound deployment, or a function deployment, with its arguments. */
export class CallNode<R> implements GraphNode<R>, Portable {
  declare readonly [NODE_TYPE]: R;
  readonly #target: BoundDeployment<unknown>;
  readonly #method: string;
  readonly #args: readonly unknown[];
  /** Arguments exist before the node that takes them, so this order is a topological one. */
  readonly #serial: number = ++created;
  readonly #name: string;

  /**
   * @param name of the call site, for errors
   * @throws ServeError `SERVE_NOT_SERIALIZABLE` for an argument that cannot cross threads, naming its path
   */
  constructor(target: BoundDeployment<unknown>, method: string, args: readonly unknown[], name: string) {
    this.#target = target;
    this.#method = method;
    this.#name = name;
    isBindingNode = true;
    try {
      this.#args = copyArguments(args, `${name}.bind`);
    } finally {
      isBindingNode = false;
    }
    Object.freeze(this);
  }

  /** @internal */
  static targetOf(node: CallNode<unknown>): BoundDeployment<unknown> {
    return node.#target;
  }

  /** @internal */
  static methodOf(node: CallNode<unknown>): string {
    return node.#method;
  }

  /** @internal */
  static argumentsOf(node: CallNode<unknown>): readonly unknown[] {
    return node.#args;
  }

  /** @internal */
  static serialOf(node: CallNode<unknown>): number {
    return node.#serial;
  }

  /** @internal */
  static nameOf(node: CallNode<unknown>): string {
    return node.#name;
  }

  [PORTABLE](): undefined {
    return assertInGraph(`the node ${this.#name}`);
  }

  [Symbol.toPrimitive](): never {
    throw invalidOption(`${this.#name}.bind(…)`, this, 'to be given to another node; it is no value itself');
  }

  [inspect.custom](): string {
    return `GraphNode(${this.#name})`;
  }
}
