import type { DeploymentOptions } from './options/deployment-options.ts';
import type { PythonPlan } from './python/python-plan.ts';

/** The parts of a deployment. */
export interface DeploymentDefinition {
  readonly target: Function;
  /** `file:` URL. */
  readonly module: string;
  /** The first name, under which the target is registered; `options({ name })` renames only the running deployment. */
  readonly exportName: string;
  /** Whether the running deployment is called like its class or function, because no `name` was given. */
  readonly isNameInferred: boolean;
  readonly options: DeploymentOptions & { readonly name: string };
  /** Set if the target is a Python class or function, for which `target` only stands. */
  readonly python?: PythonPlan;
}
