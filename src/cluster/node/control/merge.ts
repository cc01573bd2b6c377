import { withScale } from '../../../controller/target-capacity.ts';
import type { TrafficSplitConfig } from '../../../handle/routing/traffic-split.ts';
import type {
  ConfiguredCounts,
  DeclaredDeployment,
  MemberState,
  Overrides,
  ScaleOptions,
} from '../../documents.ts';
import { type DeclaredPlace, versionKey } from '../declaration.ts';
import { namesCount } from '../overrides.ts';

/** The properties of a member that a merge uses. */
export interface MergeMember {
  readonly id: string;
  readonly state: MemberState;
  readonly codeVersion: string;
  readonly declaration: string;
}

export interface MergeInput {
  /** Live members. */
  readonly members: readonly MergeMember[];
  /** Returns the deployments of a declaration by its hash; undefined if the declaration has not been read. */
  readonly places: (hash: string) => ReadonlyMap<string, DeclaredPlace> | undefined;
  /** Time at which a declaration of a version was first seen, by `versionKey`. */
  readonly versions: Readonly<Record<string, number>>;
  /** Time at which each version of the code that counts was first seen. */
  readonly firstSeen: ReadonlyMap<string, number>;
  readonly overrides: Overrides;
}

/** A deployment as it should be in the fleet. */
export interface DesiredDeployment extends ScaleOptions {
  readonly key: string;
  readonly app: string;
  readonly demand: DeclaredDeployment['demand'];
  /** Live members whose code has the deployment and that are not draining. */
  readonly hosts: readonly string[];
  readonly isDeleted: boolean;
  /** The policy that decides the number of replicas in place of the load. */
  readonly policy: DeclaredDeployment['policy'];
}

export interface Merged {
  readonly deployments: readonly DesiredDeployment[];
  /** The trials beside apps, by app. */
  readonly trials: Readonly<Record<string, TrafficSplitConfig>>;
  /** Contradictions between instances, by cause. */
  readonly faults: ReadonlyMap<string, string>;
}

interface Source {
  readonly place: DeclaredPlace;
  readonly version: string;
  readonly versionAt: number;
  readonly seenAt: number;
}

/**
 * Merges declarations and overrides into the deployments that the fleet should run: each has the options that the
 * newest code declares, overridden by persons. Of two declarations within one version of the code, the one that was
 * first seen last counts.
 */
export function merge(input: MergeInput): Merged {
  const newest = new Map<string, Source>();
  const hosts = new Map<string, string[]>();
  const lifts = new Map<string, number>();
  const faults = new Map<string, string>();
  for (const member of input.members) {
    const places = input.places(member.declaration);
    if (places === undefined) continue;
    const seenAt = input.versions[versionKey(member.codeVersion, member.declaration)] ?? 0;
    const versionAt = input.firstSeen.get(member.codeVersion) ?? seenAt;
    for (const [key, place] of places) {
      const source = { place, version: member.codeVersion, versionAt, seenAt };
      const known = newest.get(key);
      if (known !== undefined) noteContradiction(faults, key, known, source);
      if (known === undefined || isLater(source, known)) newest.set(key, source);
      const isStaying = member.state !== 'draining' && !input.overrides.draining.includes(member.id);
      const own = hosts.get(key) ?? [];
      if (isStaying) own.push(member.id);
      hosts.set(key, own);
      const app = place.app.name;
      lifts.set(app, Math.max(lifts.get(app) ?? 0, place.app.lifts));
    }
  }
  const deployments = [...newest].map(([key, source]) => desired(key, source, hosts.get(key) ?? []));
  return { deployments: deployments.sort((a, b) => (a.key < b.key ? -1 : 1)), trials: trials(), faults };

  function desired(key: string, { place, versionAt }: Source, on: readonly string[]): DesiredDeployment {
    const { demand, policy } = place.deployment;
    const options = withCounts(place.deployment, input.overrides.configs[key]?.counts);
    const tombstone = input.overrides.tombstones[place.app.name];
    const isDeleted =
      tombstone !== undefined &&
      versionAt <= tombstone.versionAt &&
      (lifts.get(place.app.name) ?? 0) < tombstone.generation;
    return {
      ...options,
      ...withScale(options, input.overrides.scales[key]),
      key,
      app: place.app.name,
      demand,
      policy,
      hosts: [...on].sort(),
      isDeleted,
    };
  }

  function trials(): Record<string, TrafficSplitConfig> {
    const found = new Map<string, TrafficSplitConfig>();
    for (const { place } of newest.values()) {
      const { name, trial } = place.app;
      if (trial === undefined || input.overrides.verdicts[name]?.seed === trial.seed) continue;
      const { of, kind, share, seed } = trial;
      found.set(of, { kind, app: name, share, seed });
    }
    return Object.fromEntries([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
  }
}

/** The numbers of replicas of a config in place of those that the code declares. */
function withCounts(declared: ScaleOptions, counts: ConfiguredCounts = {}): ScaleOptions {
  const { numReplicas, autoscaling } = namesCount(counts) ? counts : declared;
  return {
    numReplicas: numReplicas ?? declared.numReplicas,
    autoscaling,
    minReplicasPerInstance: counts.minReplicasPerInstance ?? declared.minReplicasPerInstance,
    maxReplicasPerInstance: counts.maxReplicasPerInstance ?? declared.maxReplicasPerInstance,
  };
}

function isLater(a: Source, b: Source): boolean {
  return a.versionAt === b.versionAt ? a.seenAt > b.seenAt : a.versionAt > b.versionAt;
}

function noteContradiction(faults: Map<string, string>, key: string, a: Source, b: Source): void {
  const [one, other] = [a.place.deployment, b.place.deployment];
  if (one.fingerprint === other.fingerprint && one.moduleHash !== other.moduleHash)
    faults.set(
      `module ${key}`,
      `two instances run different files of ${key} under one version: set INSERVE_VERSION`,
    );
  // Instances apply a config one after the other.
  if (one.configured !== other.configured) return;
  if (a.version === b.version && a.seenAt !== b.seenAt && JSON.stringify(one) !== JSON.stringify(other))
    faults.set(
      `declaration ${key}`,
      `two instances of version ${a.version} declare ${key} with different options: the later one is in force`,
    );
}
