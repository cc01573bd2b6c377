import { nextCapacity } from '../../controller/target-capacity.ts';
import type { TargetCapacity } from '../../store/snapshot.ts';
import type { Overrides, ScaleOptions } from '../documents.ts';

/** A person's change to the whole fleet. */
export type OverrideChange =
  /** `serve.scale`: the options of one deployment, until `deploy` names them. */
  | { readonly kind: 'options'; readonly deployment: string; readonly options: Partial<ScaleOptions> }
  /** `deploy(config)`: the config's options, which replace earlier options of the same name. */
  | {
      readonly kind: 'deploy';
      readonly options: Readonly<Record<string, Partial<ScaleOptions>>>;
      /** Names of the options whose earlier overrides end, by deployment. */
      readonly named: Readonly<Record<string, readonly (keyof ScaleOptions)[]>>;
      readonly percent: number | undefined;
      readonly isSameApps: boolean;
    }
  | { readonly kind: 'delete'; readonly app: string }
  /** `promote` (1) and `rollback` (0) of a trial. */
  | { readonly kind: 'share'; readonly app: string; readonly share: number }
  | { readonly kind: 'drain'; readonly instance: string; readonly isDraining: boolean };

export interface ChangeContext {
  readonly by: string;
  /** A timestamp like `Date.now()`: shown to people, never compared. */
  readonly at: number;
  /** Time at which the newest version of the code was first seen. */
  readonly newestVersionAt: number;
}

/** Returns the next generation of the overrides. */
export function withChange(overrides: Overrides, change: OverrideChange, context: ChangeContext): Overrides {
  const { by, at, newestVersionAt } = context;
  const next = { ...overrides, generation: overrides.generation + 1, by, at };
  switch (change.kind) {
    case 'options': {
      const own = { ...overrides.options[change.deployment], ...change.options };
      return { ...next, options: { ...overrides.options, [change.deployment]: own } };
    }
    case 'deploy': {
      const { percent, direction } = nextCapacity(capacityOf(overrides), change.percent, change.isSameApps);
      return { ...next, options: optionsAfter(overrides, change), capacity: { percent, direction } };
    }
    case 'delete': {
      const tombstone = { generation: next.generation, versionAt: newestVersionAt };
      return { ...next, tombstones: { ...overrides.tombstones, [change.app]: tombstone } };
    }
    case 'share':
      return { ...next, shares: { ...overrides.shares, [change.app]: change.share } };
    case 'drain': {
      const others = overrides.draining.filter((id) => id !== change.instance);
      return { ...next, draining: change.isDraining ? [...others, change.instance] : others };
    }
  }
}

function capacityOf({ capacity }: Overrides): TargetCapacity {
  return { percent: capacity.percent, direction: capacity.direction };
}

function optionsAfter(
  overrides: Overrides,
  { options, named }: Extract<OverrideChange, { kind: 'deploy' }>,
): Overrides['options'] {
  const keys = new Set([...Object.keys(overrides.options), ...Object.keys(options)]);
  const next = [...keys].map((key) => {
    const ended = new Set<string>(named[key] ?? []);
    const kept = Object.entries(overrides.options[key] ?? {}).filter(([name]) => !ended.has(name));
    return [key, { ...Object.fromEntries(kept), ...options[key] }] as const;
  });
  return Object.fromEntries(next.filter(([, own]) => Object.keys(own).length > 0));
}
