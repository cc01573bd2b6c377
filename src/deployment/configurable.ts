import { invalidOption } from '../errors.ts';
import type { DeploymentOptions } from './options/deployment-options.ts';
import { isClass } from './remote-methods.ts';

const HOOK = 'reconfigure';

/**
 * Checks that a user config can be passed to `reconfigure(userConfig)`; otherwise every replica would fail to start.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function assertConfigurable({ userConfig }: DeploymentOptions, target: Function, what: string): void {
  if (userConfig === undefined || mayReconfigure(target)) return;
  const name = target.name || 'the function';
  throw invalidOption(
    `${what}.userConfig`,
    userConfig,
    isClass(target)
      ? `only with a method ${HOOK}(userConfig), which ${name} does not have`
      : `nothing on a function: only a class has ${HOOK}(userConfig)`,
  );
}

/** Whether instances have the hook: from their classes, or as a field, which shows only in the source text of a class. */
function mayReconfigure(target: Function): boolean {
  if (!isClass(target)) return false;
  if (HOOK in Object(target.prototype)) return true;
  for (let maker: unknown = target; typeof maker === 'function'; maker = Object.getPrototypeOf(maker))
    if (Function.prototype.toString.call(maker).includes(HOOK)) return true;
  return false;
}
