import type { DeploymentOptions } from './options/deployment-options.ts';

/** What a deployment is made of. */
export interface DeploymentDefinition {
  readonly target: Function;
  /** `file:` URL. */
  readonly module: string;
  /** The name in the registry: the first one; `options({ name })` renames only the running deployment. */
  readonly exportName: string;
  readonly options: DeploymentOptions & { readonly name: string };
}
