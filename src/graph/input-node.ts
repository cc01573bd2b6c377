import { inspect } from 'node:util';
import { assertInGraph } from '../deployment/bound-arguments.ts';
import type { NODE_TYPE } from '../deployment/graph-node.ts';
import { invalidOption, ServeError } from '../errors.ts';
import { PORTABLE, type Portable } from '../values/marks.ts';
import type { InputNode as InputNodeOf } from './graph-types.ts';

/** Names that JavaScript itself reads from any object, so they do not select a part. */
const INERT = new Set(['constructor', 'prototype', '__proto__', 'asymmetricMatch']);

/** Names that are refused, because they would work on the placeholder instead of the value of a request. */
const REFUSED = new Set([
  ...Object.getOwnPropertyNames(Array.prototype).filter(
    (name) => name !== 'length' && name !== 'constructor',
  ),
  'then',
  'catch',
  'finally',
  'toJSON',
  'valueOf',
]);

/** The input of a request, or a part of it: a placeholder while the graph is declared. */
export class InputPlaceholder implements Portable {
  declare readonly [NODE_TYPE]: unknown;
  #root: InputPlaceholder;
  #path: readonly string[];

  /** @throws ServeError `SERVE_INVALID_OPTION` for arguments */
  constructor(...args: unknown[]) {
    if (args.length > 0) throw invalidOption('new InputNode(…)', args[0], 'no arguments');
    this.#root = this;
    this.#path = [];
    Object.freeze(this);
  }

  /** @internal The input that a part was selected from; tells the inputs of different graphs apart. */
  static rootOf(input: InputPlaceholder): InputPlaceholder {
    return input.#root;
  }

  /** @internal The keys that lead to the part. */
  static pathOf(input: InputPlaceholder): readonly string[] {
    return input.#path;
  }

  /** @internal A part of it. */
  static select(from: InputPlaceholder, key: string): InputPlaceholder {
    const part = new InputPlaceholder();
    part.#root = from.#root;
    part.#path = [...from.#path, key];
    return part;
  }

  [PORTABLE](): undefined {
    return assertInGraph(`the InputNode ${this[inspect.custom]()}`);
  }

  [Symbol.toPrimitive](): never {
    throw misused(this, 'turned into text or a number');
  }

  [Symbol.iterator](): never {
    throw misused(this, 'iterated; select its items, as in input[0]');
  }

  [inspect.custom](): string {
    return spellPath('input', this.#path);
  }
}

// The prototype behind the class: every property that a placeholder does not have itself is a part of the input.
Reflect.deleteProperty(InputPlaceholder.prototype, 'constructor');
Object.setPrototypeOf(
  InputPlaceholder.prototype,
  new Proxy(Object.freeze(Object.create(null)), {
    get: (_target, name, receiver) => {
      if (typeof name !== 'string' || INERT.has(name) || !(receiver instanceof InputPlaceholder))
        return undefined;
      if (REFUSED.has(name)) throw misused(receiver, `used with .${name}`);
      return InputPlaceholder.select(receiver, name);
    },
    has: () => false,
    set: () => false,
  }),
);

/** The input of a request in a deployment graph, or a part of it. `input.field` and `input[0]` select from it. */
export type InputNode<In> = InputNodeOf<In>;

/**
 * The input of a request in a deployment graph: `const input = new InputNode<{ text: string }>()`. `input.field` and
 * `input[0]` select from it. It has a value only while the graph runs.
 *
 * Array methods, iteration, `then` and conversion to text throw `SERVE_INVALID_OPTION`: they would work on the placeholder.
 * A field of such a name (`map`, `values` …) is read in a deployment that takes the whole input.
 */
export const InputNode: new <In>() => InputNodeOf<In> = InputPlaceholder as unknown as new <
  In,
>() => InputNodeOf<In>;

/** `input.a[0]["b c"]` */
export function spellPath(name: string, path: readonly string[]): string {
  const keys = path.map((key) => {
    if (/^\d+$/.test(key)) return `[${key}]`;
    return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`;
  });
  return `${name}${keys.join('')}`;
}

function misused(input: InputPlaceholder, how: string): ServeError {
  const what = input[inspect.custom]();
  return new ServeError(
    'SERVE_INVALID_OPTION',
    `${what} is a placeholder for the input of a request and cannot be ${how}; give it to a node, as in bound.method.bind(${what})`,
  );
}
