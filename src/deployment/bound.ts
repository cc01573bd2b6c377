import { inspect } from 'node:util';
import type { HandleReference } from '../handle/api/handle.ts';
import type { DEPLOYMENT_TYPE } from '../handle/api/target.ts';
import { MARK, PORTABLE, type Portable } from '../values/marks.ts';
import { copyArguments } from './bound-arguments.ts';
import type { DeploymentDefinition } from './deployment-definition.ts';

/** @internal Names the deployments of an app. */
export type Naming = (bound: BoundDeployment<unknown>) => HandleReference;

/** Naming of the app that is being compiled. */
let naming: Naming | undefined;

/** @internal Runs `work` while nested bound deployments turn into handle references. */
export function withNaming<R>(name: Naming, work: () => R): R {
  const outer = naming;
  naming = name;
  try {
    return work();
  } finally {
    naming = outer;
  }
}

/**
 * A deployment with the arguments of its constructor. Nothing runs until it is deployed. Inside the arguments of another
 * deployment it becomes a `DeploymentHandle`. `bound.method.bind(node, …)` makes a node of a deployment graph.
 */
export class BoundDeployment<I> implements Portable {
  declare readonly [DEPLOYMENT_TYPE]: I;
  readonly #parts: DeploymentDefinition;
  readonly #args: readonly unknown[];

  /** @throws ServeError `SERVE_NOT_SERIALIZABLE` for an argument that cannot cross threads, naming its path */
  constructor(parts: DeploymentDefinition, args: readonly unknown[]) {
    this.#parts = parts;
    this.#args = copyArguments(args, `${parts.options.name}.bind`);
    Object.freeze(this);
  }

  /** @internal */
  static partsOf(bound: BoundDeployment<unknown>): DeploymentDefinition {
    return bound.#parts;
  }

  /** @internal The arguments as of the time of binding; bound deployments in them are still themselves. */
  static argumentsOf(bound: BoundDeployment<unknown>): readonly unknown[] {
    return bound.#args;
  }

  [PORTABLE](): ReturnType<Portable[typeof PORTABLE]> {
    // Outside a compilation the bound deployment stays itself: `bind` only checks and copies the values around it.
    return naming === undefined ? undefined : { kind: MARK.handle, data: naming(this) };
  }

  [inspect.custom](): string {
    return `BoundDeployment(${this.#parts.options.name})`;
  }
}
