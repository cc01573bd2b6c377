import { invalidOption } from '../errors.ts';
import { BoundDeployment } from './bound.ts';
import type { DeploymentDefinition } from './deployment-definition.ts';
import { CallNode } from './graph-node.ts';
import { isClass, isRemoteName } from './remote-methods.ts';

/**
 * Binds a deployment; each of its methods makes nodes of a graph.
 *
 * @throws ServeError `SERVE_NOT_SERIALIZABLE` for an argument that cannot cross threads, naming its path
 */
export function bindDeployment(
  definition: DeploymentDefinition,
  args: readonly unknown[],
): BoundDeployment<unknown> {
  return new BoundDeployment(definition, args);
}

/** A method of a bound deployment, as `bound.method` answers it. */
function methodOf(bound: BoundDeployment<unknown>, method: string): object {
  const { target, options } = BoundDeployment.partsOf(bound);
  const name = method === 'call' ? options.name : `${options.name}.${method}`;
  return Object.freeze({
    bind: (...args: unknown[]) => {
      if (method !== 'call' && !isClass(target)) {
        throw invalidOption(
          name,
          'a method of a function',
          "'call', the only method of a function deployment",
        );
      }
      return new CallNode(bound, method, args, name);
    },
  });
}

/** JavaScript itself, or common tools, read these names on any object. */
const INERT = new Set([
  'toJSON',
  'toString',
  'valueOf',
  'inspect',
  'prototype',
  '__proto__',
  'asymmetricMatch',
]);

// The proxy is behind the class: every name that a bound deployment does not have itself is a method of the deployment.
Object.setPrototypeOf(
  BoundDeployment.prototype,
  new Proxy(Object.freeze(Object.create(null)), {
    get: (_target, name, receiver) => {
      if (typeof name !== 'string' || INERT.has(name) || !isRemoteName(name)) return undefined;
      return receiver instanceof BoundDeployment ? methodOf(receiver, name) : undefined;
    },
    has: () => false,
    set: () => false,
  }),
);
