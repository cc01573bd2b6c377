import { declarationHash } from '../../src/cluster/document-codec.ts';
import {
  type Declaration,
  type DeclaredDeployment,
  DOCUMENT_FORMAT,
  type MemberRecord,
  NO_OVERRIDES,
  type Plan,
} from '../../src/cluster/documents.ts';
import { Leader, type LeaderView } from '../../src/cluster/node/control/leader.ts';
import { type Merged, merge } from '../../src/cluster/node/control/merge.ts';
import { placesOf, versionKey } from '../../src/cluster/node/declaration.ts';
import type { LocalLoads } from '../../src/cluster/node/events.ts';
import { FLEET_TIMING } from '../../src/cluster/node/timing.ts';
import { autoscalingOf } from '../../src/deployment/options/autoscaling-options.ts';
import { demandOf } from '../../src/deployment/options/resources.ts';

const VERSION = '1';

/** A leader of a fleet of stubs: autoscaled deployments of small replicas, spread over all instances. */
export class FleetOf {
  readonly leader: Leader;
  readonly plan: Plan;
  readonly #instances: number;
  readonly #deployments: number;
  readonly #eachReplicas: number;
  readonly #records: readonly MemberRecord[];
  readonly #declaration: Declaration;
  #merged: Merged | undefined = undefined;

  constructor(instances: number, deployments: number, replicasEach: number) {
    this.#instances = instances;
    this.#deployments = deployments;
    this.#eachReplicas = replicasEach;
    const names = Array.from({ length: deployments }, (_, index) => `deployment-${index}`);
    this.#declaration = {
      format: DOCUMENT_FORMAT,
      codeVersion: VERSION,
      apps: [{ name: 'app', routePrefix: '/', trial: undefined, lifts: 0, deployments: names.map(declared) }],
    };
    const declaration = declarationHash(this.#declaration);
    this.#records = Array.from({ length: instances }, (_, index) => recordOf(index, declaration));
    this.leader = new Leader(FLEET_TIMING, -60_000, false);
    const counts = names.map((name, deployment) => [`app/${name}`, this.#countsOf(deployment)] as const);
    this.plan = {
      format: DOCUMENT_FORMAT,
      number: 1,
      token: 1,
      owner: 'instance-0000#1',
      generation: 0,
      previousTotal: 0,
      instances: this.#records.map(({ id }) => id),
      counts: Object.fromEntries(counts),
      ending: [],
      shares: {},
    };
  }

  /** What the fleet should run, from the declarations of all: made anew when a member comes or goes. */
  merge(): Merged {
    const { declaration = '' } = this.#records[0] ?? {};
    const places = placesOf(this.#declaration);
    this.#merged = merge({
      members: this.#records.map((record) => ({ ...record, state: 'up' })),
      places: () => places,
      versions: { [versionKey(VERSION, declaration)]: 1 },
      firstSeen: new Map([[VERSION, 1]]),
      overrides: NO_OVERRIDES,
    });
    return this.#merged;
  }

  /** All instances report. @param busy calls at a time per replica, by deployment */
  report(busy: (deployment: number) => number, now: number): void {
    for (const [index, { id }] of this.#records.entries())
      this.leader.reports.take(id, { kind: 'report', isFull: true, loads: this.loadsOf(index, busy) }, now);
  }

  loadsOf(instance: number, busy: (deployment: number) => number): LocalLoads {
    const loads = Array.from({ length: this.#deployments }, (_, deployment) => {
      const running = this.plan.counts[`app/deployment-${deployment}`]?.[instance] ?? 0;
      const load = {
        ...{ target: running, running, starting: 0, queued: 0 },
        ...{ ongoing: running * busy(deployment), ended: running * 1_000, failures: 0 },
      };
      return [`app/deployment-${deployment}`, load] as const;
    });
    return Object.fromEntries(loads);
  }

  view(): LeaderView {
    return {
      members: this.#records.map((record) => ({ record, state: 'up' })),
      merged: this.#merged ?? this.merge(),
      overrides: NO_OVERRIDES,
      plan: this.plan,
      changedAt: -Infinity,
    };
  }

  #countsOf(deployment: number): number[] {
    const counts = new Array<number>(this.#instances).fill(0);
    for (let replica = 0; replica < this.#eachReplicas; replica++) {
      const instance = (deployment * this.#eachReplicas + replica) % this.#instances;
      counts[instance] = (counts[instance] ?? 0) + 1;
    }
    return counts;
  }
}

function declared(name: string): DeclaredDeployment {
  return {
    ...{ name, fingerprint: name, version: VERSION, numReplicas: 1, configured: 0 },
    autoscaling: autoscalingOf(undefined, { maxReplicas: 1_000, upscaleDelayMs: 0 }),
    ...{ minReplicasPerInstance: 0, maxReplicasPerInstance: undefined },
    demand: demandOf({ cpus: 0.1, memoryMb: 64 }),
    ...{ methods: [], moduleHash: '' },
  };
}

function recordOf(index: number, declaration: string): MemberRecord {
  return {
    ...{ format: DOCUMENT_FORMAT, id: `instance-${String(index).padStart(4, '0')}`, epoch: 1 },
    ...{ address: '127.0.0.1:1', certificate: '', protocols: [1], codeVersion: VERSION, declaration },
    ...{ resources: { cpus: 80_000, memoryMb: 160_000_000 }, gpus: 0, zone: '', state: 'up' },
  };
}
