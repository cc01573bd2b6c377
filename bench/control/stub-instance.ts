/**
 * One instance of a fleet whose replicas are stubs: the real fleet thread, membership and links, and a host that says its
 * replicas run as soon as they are wanted. `argv`: the number of the instance, the URL of Redis, deployments, replicas of each.
 */
import type { Declaration } from '../../src/cluster/documents.ts';
import { fleetEntry } from '../../src/cluster/fleet-entry.ts';
import { FleetHost } from '../../src/cluster/fleet-host.ts';
import type { FleetView } from '../../src/cluster/member/fleet-view.ts';
import type { LocalLoads } from '../../src/cluster/node/events.ts';
import { demandOf } from '../../src/deployment/options/resources.ts';
import { EndpointRegistry } from '../../src/handle/routing/endpoint-registry.ts';
import { Events } from '../../src/observe/events.ts';
import { answer } from '../harness/answer.ts';

const REPORT_MS = 250;

export type StubRequest =
  | { readonly type: 'state' }
  /** Resets what `state` counts, and measures the CPU from now on. */
  | { readonly type: 'reset' }
  | { readonly type: 'scale'; readonly deployment: number; readonly replicas: number };

export interface StubState {
  readonly isLeading: boolean;
  readonly plan: number;
  /** Live instances, this one among them. */
  readonly instances: number;
  readonly replicas: number;
  /** `Date.now()` when other numbers of replicas were last wanted. */
  readonly appliedAt: number;
  /** Times that an instance died or came, or the leader changed, since the reset. */
  readonly flaps: number;
  /** CPU of the whole process since the reset, as a share of one core. */
  readonly cpu: number;
}

const [number = '0', url = '', deployments = '1', replicasEach = '1'] = process.argv.slice(2);
const names = Array.from({ length: Number(deployments) }, (_, index) => `stub-${index}`);
const declaration: Declaration = {
  ...{ format: 1, codeVersion: '1' },
  apps: [
    {
      ...{ name: 'app', routePrefix: null, trial: undefined, lifts: 0 },
      deployments: names.map((name) => ({
        ...{
          name,
          fingerprint: name,
          version: '1',
          numReplicas: Number(replicasEach),
          autoscaling: undefined,
        },
        ...{ minReplicasPerInstance: 0, maxReplicasPerInstance: undefined, demand: demandOf({}) },
        ...{ methods: [], moduleHash: '', configured: 0 },
      })),
    },
  ],
};

let targets: Readonly<Record<string, number>> = {};
let appliedAt = 0;
let view: FleetView | undefined;
let flaps = 0;
let ended = 0;
let commands = 0;
let cpu = process.cpuUsage();
let since = performance.now();
const open = new Map<number, PromiseWithResolvers<void>>();

const log = { debug() {}, info() {}, warn() {}, error() {} };
const host = new FleetHost(
  {
    ...{ name: 'bench', secrets: ['a secret of the fleet, for a bench!'] },
    listen: { host: '127.0.0.1', port: 0 },
    membership: { redis: { url }, zone: '' },
  },
  {
    ...{ instanceId: `stub-${number.padStart(2, '0')}`, registry: new EndpointRegistry(), log },
    ...{
      events: new Events(() => {}),
      entry: fleetEntry(),
      nextCallerIndex: () => 1,
      count() {},
      tenants: undefined,
    },
  },
);
host.onMember({
  started: () => host.post({ type: 'declare', declaration }),
  received(message) {
    if (message.type === 'apply') {
      ({ targets } = message);
      appliedAt = Date.now();
    } else if (message.type === 'view') {
      if (view !== undefined && view.leader !== message.view.leader) flaps++;
      ({ view } = message);
    } else if (message.type === 'member') flaps++;
    else if (message.type === 'commandDone') {
      if (message.failure === undefined) open.get(message.id)?.resolve();
      else open.get(message.id)?.reject(new Error(message.failure));
    }
  },
});
setInterval(() => {
  ended += 10;
  const loads = names.map((name) => {
    const running = targets[`app/${name}`] ?? 0;
    const load = { target: running, running, starting: 0, queued: 0, ongoing: running, ended, failures: 0 };
    return [`app/${name}`, load] as const;
  });
  host.post({
    type: 'report',
    loads: Object.fromEntries(loads) satisfies LocalLoads,
    lagMs: 0,
    isReady: true,
    revertible: [],
  });
}, REPORT_MS);

answer<StubRequest, StubState>(
  async (request) => {
    if (request.type === 'reset') {
      flaps = 0;
      cpu = process.cpuUsage();
      since = performance.now();
    }
    if (request.type === 'scale') {
      const id = ++commands;
      const done = Promise.withResolvers<void>();
      open.set(id, done);
      const deployment = `app/stub-${request.deployment}`;
      host.post({
        type: 'command',
        id,
        change: { kind: 'scale', deployment, scale: { replicas: request.replicas } },
      });
      await done.promise;
    }
    const used = process.cpuUsage(cpu);
    return {
      isLeading: view?.isLeading === true,
      plan: view?.plan ?? 0,
      instances: 1 + (view?.peers.filter(({ state }) => state === 'UP').length ?? 0),
      replicas: Object.values(targets).reduce((sum, count) => sum + count, 0),
      appliedAt,
      flaps,
      cpu: (used.user + used.system) / 1_000 / (performance.now() - since),
    };
  },
  () => host.close(),
);
