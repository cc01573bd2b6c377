import { isDeepStrictEqual } from 'node:util';
import { entryOf, type Overrides, type Plan, type Snapshot } from './snapshot.ts';
import type { Change } from './store.ts';

/** Computes the next snapshot; returns the same one if the change has no effect. */
export function applyChange(snapshot: Snapshot, change: Change): Snapshot {
  const { declarations, overrides, plan } = snapshot;
  switch (change.type) {
    case 'declare': {
      const { instance, app } = change;
      const apps = entryOf(declarations, instance)?.apps;
      const declaration = { apps: withEntry(apps ?? {}, app.name, app) };
      if (declaration.apps === apps) return snapshot;
      return { ...snapshot, declarations: { ...declarations, [instance]: declaration } };
    }
    case 'withdraw': {
      const { instance, app } = change;
      const apps = entryOf(declarations, instance)?.apps;
      if (apps === undefined || !Object.hasOwn(apps, app)) return snapshot;
      const declaration = { apps: withoutEntries(apps, (name) => name === app) };
      return { ...snapshot, declarations: { ...declarations, [instance]: declaration } };
    }
    case 'capacity':
      return overridden(snapshot, { capacity: change.capacity });
    case 'scale':
      return overridden(snapshot, { scales: withEntry(overrides.scales, change.key, change.scale) });
    case 'trial':
      return overridden(snapshot, { trials: withEntry(overrides.trials, change.app, change.trial) });
    case 'forget': {
      const prefix = `${change.app}/`;
      return overridden(snapshot, {
        scales: withoutEntries(overrides.scales, (key) => key.startsWith(prefix)),
        trials: withEntry(overrides.trials, change.app, undefined),
      });
    }
    case 'plan': {
      const { counts, shares } = change;
      if (isDeepStrictEqual({ counts, shares }, { counts: plan.counts, shares: plan.shares }))
        return snapshot;
      return { ...snapshot, plan: { number: plan.number + 1, counts, shares } satisfies Plan };
    }
  }
}

function overridden(snapshot: Snapshot, changes: Partial<Overrides>): Snapshot {
  const { overrides } = snapshot;
  const next = { ...overrides, ...changes };
  if (isDeepStrictEqual(next, overrides)) return snapshot;
  return { ...snapshot, overrides: { ...next, generation: overrides.generation + 1 } };
}

/** Sets or removes an entry of a record; returns the same record if that has no effect. */
function withEntry<T>(
  record: Readonly<Record<string, T>>,
  name: string,
  value: T | undefined,
): Readonly<Record<string, T>> {
  if (isDeepStrictEqual(entryOf(record, name), value)) return record;
  return value === undefined
    ? withoutEntries(record, (other) => other === name)
    : { ...record, [name]: value };
}

function withoutEntries<T>(
  record: Readonly<Record<string, T>>,
  isLeftOut: (name: string) => boolean,
): Readonly<Record<string, T>> {
  const kept = Object.entries(record).filter(([name]) => !isLeftOut(name));
  return kept.length === Object.keys(record).length ? record : Object.fromEntries(kept);
}
