import { inspect } from 'node:util';
import { invalidOption } from '../errors.ts';
import { PORTABLE, type Portable } from '../values/marks.ts';
import type { BoundDeployment } from './bound.ts';
import { assertInGraph, copyNodeArguments } from './bound-arguments.ts';

/** Carries the type of a node's value; the property does not exist at run time. */
export declare const NODE_TYPE: unique symbol;

/** A place in a deployment graph that has a value of type `R` during a request: a call, or the request's input. */
export interface GraphNode<R> {
  readonly [NODE_TYPE]: R;
}

let created = 0;

/** One call site of a graph: a method of a bound deployment, or a function deployment, with its arguments. */
export class CallNode<R> implements GraphNode<R>, Portable {
  declare readonly [NODE_TYPE]: R;
  readonly #target: BoundDeployment<unknown>;
  readonly #method: string;
  readonly #args: readonly unknown[];
  /** Arguments exist before the node that takes them, so this order is topological. */
  readonly #serial: number = ++created;
  readonly #name: string;

  /**
   * @param name name of the call site, for errors
   * @throws ServeError `SERVE_NOT_SERIALIZABLE` for an argument that cannot cross threads, naming its path
   */
  constructor(target: BoundDeployment<unknown>, method: string, args: readonly unknown[], name: string) {
    this.#target = target;
    this.#method = method;
    this.#name = name;
    this.#args = copyNodeArguments(args, `${name}.bind`);
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
    throw invalidOption(
      `${this.#name}.bind(…)`,
      this,
      'to be given to another node: a node is no value itself',
    );
  }

  [inspect.custom](): string {
    return `GraphNode(${this.#name})`;
  }
}
