import { ServeError } from '../errors.ts';
import { Capture } from '../values/capture.ts';
import { revive } from '../values/revive.ts';

/** Nodes may only stand in the arguments of other nodes. */
let isBindingNode = false;

/** The result of serializing a node. @throws ServeError outside the arguments of a node */
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

/** Copies the arguments of a graph's node, where other nodes may stand. */
export function copyNodeArguments(args: readonly unknown[], name: string): readonly unknown[] {
  isBindingNode = true;
  try {
    return copyArguments(args, name);
  } finally {
    isBindingNode = false;
  }
}
