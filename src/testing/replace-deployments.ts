import { BoundDeployment } from '../deployment/bound.ts';
import { bindDeployment } from '../deployment/bound-methods.ts';
import { assertBound } from '../deployment/compile-app.ts';
import { invalidOption } from '../errors.ts';
import { isPlainObject } from '../validation/fields.ts';

/** A bound deployment of an app, and the one that takes its place. */
export type Replacement = readonly [replaced: BoundDeployment<unknown>, by: BoundDeployment<unknown>];

/**
 * The app with other deployments in place of some of its own. A replacement may hold the deployment that it replaces.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` for a deployment that is not bound into the app, such as one that only nodes of a
 *   graph use
 */
export function replaceDeployments<B extends BoundDeployment<unknown>>(
  app: B,
  replacements: readonly Replacement[],
): B {
  for (const pair of replacements) for (const bound of pair) assertBound(bound, 'testServe.replace');
  const replacement = new Map(replacements);
  const found = new Set<BoundDeployment<unknown>>();
  const rebuilt = new Map<BoundDeployment<unknown>, BoundDeployment<unknown>>();

  const rebuild = (bound: BoundDeployment<unknown>): BoundDeployment<unknown> => {
    const by = replacement.get(bound);
    if (by !== undefined) found.add(bound);
    const known = rebuilt.get(bound);
    if (known !== undefined) return known;
    const made = by ?? rebind(bound);
    rebuilt.set(bound, made);
    return made;
  };
  const rebind = (bound: BoundDeployment<unknown>): BoundDeployment<unknown> => {
    const args = BoundDeployment.argumentsOf(bound);
    const others = args.map(within);
    if (others.every((arg, index) => arg === args[index])) return bound;
    return bindDeployment(BoundDeployment.partsOf(bound), others);
  };
  /** The value with the deployments in it rebuilt; the same value if none of them changes. */
  const within = (value: unknown): unknown => {
    if (value instanceof BoundDeployment) return rebuild(value);
    if (Array.isArray(value)) return ifChanged(value, value.map(within));
    if (value instanceof Set) return new Set([...value].map(within));
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [within(key), within(item)]));
    if (!isPlainObject(value)) return value;
    const items = Object.values(value);
    const others = items.map(within);
    if (others.every((item, index) => item === items[index])) return value;
    return Object.fromEntries(Object.keys(value).map((key, index) => [key, others[index]]));
  };

  const result = rebuild(app) as B;
  const missing = [...replacement.keys()].find((bound) => !found.has(bound));
  if (missing !== undefined)
    throw invalidOption('testServe.replace', missing, 'deployments that are bound into the app');
  return result;
}

function ifChanged(before: readonly unknown[], after: readonly unknown[]): readonly unknown[] {
  return after.every((item, index) => item === before[index]) ? before : after;
}
