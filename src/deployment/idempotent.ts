import { invalidOption } from '../errors.ts';
import type { SpecOptions } from './app-spec.ts';
import type { DeploymentOptions } from './options/deployment-options.ts';
import { isClass, isRemoteName } from './remote-methods.ts';

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

/**
 * What would silently do nothing, as far as only a running replica shows it: methods in the list that it does not have, and
 * hedging without a second replica.
 */
export function* repeatAdvice(
  { idempotent, hedge, numReplicas, autoscaling }: SpecOptions,
  methods: readonly string[],
): Generator<string> {
  const missing = typeof idempotent === 'boolean' ? [] : idempotent.filter((name) => !isKnown(name, methods));
  if (missing.length > 0) {
    const names = missing.map((name) => `'${name}'`).join(', ');
    yield `idempotent: there is no method ${names}, so nothing is retried or hedged for it; there are ${methods.join(', ')}`;
  }
  if (hedge !== undefined && autoscaling === undefined && numReplicas === 1)
    yield 'hedge: there is no second replica to ask: set numReplicas to 2 or more';
}

/** `fetch` and `call` stand for HTTP, whichever of them the class has. */
function isKnown(name: string, methods: readonly string[]): boolean {
  return name === 'fetch' || name === 'call' || methods.includes(name);
}
