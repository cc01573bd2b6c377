import { invalidOption } from '../errors.ts';
import type { SpecOptions } from './app-spec.ts';
import type { DeploymentOptions } from './options/deployment-options.ts';
import { isClass, isRemoteName } from './remote-methods.ts';

/**
 * Checks a list of idempotent methods. It may name members of instances, such as a `batch()` field, but no name that can
 * never be called: it would silently have no effect.
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

/**
 * Warnings about options without effect that only a running replica shows: listed methods that it does not have, and
 * hedging without a second replica.
 */
export function* repeatAdvice(
  { idempotent, hedge, numReplicas, autoscaling }: SpecOptions,
  methods: readonly string[],
): Generator<string> {
  const missing = typeof idempotent === 'boolean' ? [] : idempotent.filter((name) => !isKnown(name, methods));
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}'`).join(', ');
    yield `idempotent: the deployment has no method ${names}, so no such call is retried or hedged; its methods are ${methods.join(', ')}`;
  }
  if (hedge !== undefined && autoscaling === undefined && numReplicas === 1)
    yield 'hedge: the deployment has no second replica: set numReplicas to 2 or more';
}

/** `fetch` and `call` stand for HTTP, whichever the class has. */
function isKnown(name: string, methods: readonly string[]): boolean {
  return name === 'fetch' || name === 'call' || methods.includes(name);
}
