import { invalidOption } from '../errors.ts';
import { isClass, isRemoteName } from '../replica/methods.ts';
import type { DeploymentOptions } from './options.ts';

/**
 * A list of idempotent methods may name what only an instance has, such as a `batch()` field, but nothing that can never
 * be called: there it would do nothing, and nobody would know.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function assertRepeatable({ idempotent }: DeploymentOptions, target: Function, what: string): void {
  if (!Array.isArray(idempotent)) return;
  const isOfClass = isClass(target);
  const allowed = isOfClass
    ? "a remote method: no hook, no WebSocket, no name that begins with '_' or belongs to the handle"
    : "'call': the deployment is a function";
  for (const [index, name] of idempotent.entries()) {
    const isThere = isOfClass ? name === 'fetch' || isRemoteName(name) : name === 'call';
    if (!isThere) throw invalidOption(`${what}.idempotent[${index}]`, name, allowed);
  }
}

/** What a replica shows to be missing: methods in the list that it does not have. Undefined if all are there. */
export function idempotentAdvice(
  idempotent: boolean | readonly string[],
  methods: readonly string[],
): string | undefined {
  if (typeof idempotent === 'boolean') return undefined;
  // Both stand for HTTP, whichever of them the class has.
  const missing = idempotent.filter((name) => name !== 'fetch' && name !== 'call' && !methods.includes(name));
  if (missing.length === 0) return undefined;
  const names = missing.map((name) => `'${name}'`).join(', ');
  return `idempotent: there is no method ${names}, so nothing is retried or hedged for it; there are ${methods.join(', ')}`;
}
