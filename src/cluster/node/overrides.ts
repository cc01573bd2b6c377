import { isDeepStrictEqual } from 'node:util';
import { nextCapacity } from '../../controller/target-capacity.ts';
import { namesOf, type RouteKey } from '../../handle/routing/directory.ts';
import type { Scale } from '../../store/snapshot.ts';
import type { ConfiguredDeployment, Overrides } from '../documents.ts';

/** The parts of a config of `serve.deploy()` that concern the whole fleet. */
export interface ConfigOrder {
  /** Apps of the config. The options that earlier configs gave their deployments end. */
  readonly apps: readonly string[];
  /** Options of deployments, by key. */
  readonly configs: Readonly<Record<string, Pick<ConfiguredDeployment, 'options' | 'counts'>>>;
  /** Apps of the config before that this one leaves out. */
  readonly deleted: readonly string[];
  readonly percent: number | undefined;
  readonly isSameApps: boolean;
}

/** A person's change to the whole fleet. */
export type OverrideChange =
  /** `serve.scale`: holds until `deploy` names the number or the bounds. */
  | { readonly kind: 'scale'; readonly deployment: string; readonly scale: Scale }
  | ({ readonly kind: 'deploy' } & ConfigOrder)
  | { readonly kind: 'delete'; readonly app: string }
  /** `promote` and `rollback` of a version on trial, which runs as `app`. */
  | {
      readonly kind: 'verdict';
      readonly app: string;
      readonly seed: number;
      readonly isPromoted: boolean;
    }
  /** `rollback` of an app without a trial. */
  | { readonly kind: 'rollback'; readonly app: string }
  | { readonly kind: 'drain'; readonly instance: string; readonly isDraining: boolean };

export interface ChangeContext {
  readonly by: string;
  /** A timestamp like `Date.now()`: shown to people, never compared. */
  readonly at: number;
  /** Time at which the newest version of the code was first seen. */
  readonly newestVersionAt: number;
  /** The same for the code of the instance that makes the change. */
  readonly ownVersionAt: number;
  /** The same for every version of the code that runs in the fleet. */
  readonly liveVersionsAt: readonly number[];
  /** Format that every member reads. */
  readonly format: number;
}

/** Longest list of instances that are being drained: the last ones stay. */
const MAX_DRAINING = 100;

/** Returns the next generation of the overrides; the same overrides if a config changes nothing. */
export function withChange(overrides: Overrides, change: OverrideChange, context: ChangeContext): Overrides {
  const { by, at, format, newestVersionAt: versionAt } = context;
  const next = { ...overrides, format, generation: overrides.generation + 1, by, at };
  const { generation } = next;
  switch (change.kind) {
    case 'scale':
      return { ...next, scales: { ...overrides.scales, [change.deployment]: change.scale } };
    case 'deploy': {
      const deployed = withConfig(overrides, change, context);
      return isDeepStrictEqual(deployed, overrides)
        ? overrides
        : { ...next, ...deployed, format, generation, by, at };
    }
    case 'delete':
      return { ...next, tombstones: { ...overrides.tombstones, [change.app]: { generation, versionAt } } };
    case 'verdict': {
      const { app, seed, isPromoted } = change;
      return { ...next, verdicts: { ...overrides.verdicts, [app]: { generation, seed, isPromoted } } };
    }
    case 'rollback':
      return { ...next, rollbacks: { ...overrides.rollbacks, [change.app]: generation } };
    case 'drain': {
      const others = overrides.draining.filter((id) => id !== change.instance);
      const draining = change.isDraining ? [...others, change.instance] : others;
      return { ...next, draining: draining.slice(-MAX_DRAINING) };
    }
  }
}

/** The overrides with a config applied, in their own generation. */
function withConfig(overrides: Overrides, order: ConfigOrder, context: ChangeContext): Overrides {
  const { apps, configs: given, deleted, percent, isSameApps } = order;
  const generation = overrides.generation + 1;
  const configs: Record<string, ConfiguredDeployment> = {};
  for (const [key, known] of Object.entries(overrides.configs))
    if (!apps.includes(namesOf(key as RouteKey)[0]) || isProtected(known, context)) configs[key] = known;
  const scales = { ...overrides.scales };
  for (const [key, { options, counts }] of Object.entries(given)) {
    const known = overrides.configs[key];
    if (known !== undefined && isProtected(known, context)) continue;
    const isSame = isDeepStrictEqual([known?.options, known?.counts], [options, counts]);
    configs[key] =
      known !== undefined && isSame
        ? known
        : { generation, versionAt: context.ownVersionAt, options, counts };
    if (namesCount(counts)) delete scales[key];
  }
  const tombstones = { ...overrides.tombstones };
  for (const app of deleted) tombstones[app] = { generation, versionAt: context.newestVersionAt };
  // Every start of an instance with a config repeats its capacity, which is not a change.
  const { percent: before, direction } = overrides.capacity;
  const capacity =
    before === percent
      ? overrides.capacity
      : nextCapacity({ percent: before, direction }, percent, isSameApps);
  return { ...overrides, configs, scales, tombstones, capacity };
}

/** Whether newer code set the options: an instance of older code that starts again does not replace them. */
function isProtected({ versionAt }: ConfiguredDeployment, context: ChangeContext): boolean {
  return versionAt > context.ownVersionAt && context.liveVersionsAt.includes(versionAt);
}

/** Whether options set the number of replicas or its bounds. */
export function namesCount({
  numReplicas,
  autoscaling,
}: {
  readonly numReplicas?: unknown;
  readonly autoscaling?: unknown;
}): boolean {
  return numReplicas !== undefined || autoscaling !== undefined;
}
