import type { HandleReference } from '../handle/handle.ts';
import type { DEPLOYMENT_TYPE } from '../handle/target.ts';
import { Capture } from '../values/capture.ts';
import { MARK, PORTABLE, type Portable } from '../values/marks.ts';
import type { DeploymentParts } from './parts.ts';

/** Names the deployments of the app that is being compiled. */
let naming: ((bound: BoundDeployment<unknown>) => HandleReference) | undefined;

/** Runs `work` while nested bound deployments turn into handle references. */
export function withNaming<R>(name: (bound: BoundDeployment<unknown>) => HandleReference, work: () => R): R {
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
 * one it becomes a `DeploymentHandle`.
 */
export class BoundDeployment<I> implements Portable {
  declare readonly [DEPLOYMENT_TYPE]: I;
  readonly #parts: DeploymentParts;
  readonly #args: readonly unknown[];

  /** @throws ServeError `SERVE_NOT_SERIALIZABLE` for an argument that cannot cross threads, naming its path */
  constructor(parts: DeploymentParts, args: readonly unknown[]) {
    this.#parts = parts;
    const capture = new Capture();
    this.#args = args.map((arg, index) => capture.take(arg, `${parts.options.name}.bind`, index));
    Object.freeze(this);
  }

  /** @internal */
  static partsOf(bound: BoundDeployment<unknown>): DeploymentParts {
    return bound.#parts;
  }

  /** @internal The arguments as they were when they were bound; bound deployments in them are still themselves. */
  static argumentsOf(bound: BoundDeployment<unknown>): readonly unknown[] {
    return bound.#args;
  }

  [PORTABLE](): ReturnType<Portable[typeof PORTABLE]> {
    // Outside a compilation it stays as it is: `bind` only checks and copies what is around it.
    return naming === undefined ? undefined : { kind: MARK.handle, data: naming(this) };
  }
}
