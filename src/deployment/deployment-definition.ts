import type { DeploymentOptions } from './options/deployment-options.ts';

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
}
