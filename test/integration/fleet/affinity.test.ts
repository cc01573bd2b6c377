import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Front, front, type Probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 120_000;
const MODELS = ['a', 'b', 'c', 'd', 'e', 'f'];

const sessions = Array.from({ length: 24 }, (_, index) => `session-${index}`);
const resources = new AsyncDisposableStack();
let members: [Member, Member];
let callers: [FleetInstance, FleetInstance];
let fronts: DeploymentHandle<Front>;

const probeOf = ({ serve }: FleetInstance): DeploymentHandle<Probe> => serve.handle<Probe>('probe');

/** The replicas that answer this many calls at a time. */
async function answering(caller: FleetInstance): Promise<Set<number>> {
  const pids = await Promise.all(Array.from({ length: 12 }, () => probeOf(caller).hold.remote(20)));
  return new Set(pids);
}

beforeAll(async () => {
  const start = (): Promise<Member> => Member.start({ replicas: 2, maxOngoingRequests: 16 });
  members = await Promise.all([start(), start()]);
  for (const member of members) resources.use(member);
  const [one, other] = members;
  await one.tell({ type: 'peers', peers: [other.address] });
  await other.tell({ type: 'peers', peers: [one.address] });
  const peers = members.map(({ address }) => address);
  callers = await Promise.all([fleetInstance({ peers }), fleetInstance({ peers })]);
  for (const caller of callers) resources.use(caller);
  await callers[0].serve.run(front.bind(), { name: 'front' });
  fronts = callers[0].serve.handle<Front>('front');
  for (const caller of callers)
    await eventually(() =>
      answering(caller).then(
        ({ size }) => size === 2,
        () => false,
      ),
    );
}, START_MS);

afterAll(() => resources.disposeAsync());

describe('a session', () => {
  test(
    'has one replica, whichever instance its calls enter, and from whichever thread they come',
    async () => {
      const [one] = callers;
      const replicasOf = (caller: FleetInstance): Promise<string[]> =>
        Promise.all(
          sessions.map(
            (sessionId) => probeOf(caller).options({ sessionId }).replica.remote() as Promise<string>,
          ),
        );
      // Two replicas in each of two instances, of which this thread hears one after the other.
      await eventually(async () => new Set(await replicasOf(one)).size === 4);
      // Each thread hears of the replicas by itself. A session may be moved for balance meanwhile, for all callers at once.
      const sameFrom = (replicasFrom: () => Promise<string[]>): Promise<void> =>
        eventually(
          async () => JSON.stringify(await replicasFrom()) === JSON.stringify(await replicasOf(one)),
        );
      await sameFrom(() => replicasOf(callers[1]));
      await sameFrom(() =>
        Promise.all(sessions.map((session) => fronts.replicaOf.remote(session) as Promise<string>)),
      );
      for (const member of members)
        await sameFrom(() => member.tell({ type: 'sessions', sessions }) as Promise<string[]>);
    },
    START_MS,
  );
});

describe('a multiplexed model', () => {
  test(
    'is loaded once for all instances, and elsewhere once its instance is lost',
    async () => {
      const [one, other] = callers;
      const withModel = (caller: FleetInstance, multiplexedModelId: string) =>
        probeOf(caller).options({ multiplexedModelId }).withModel.remote();
      const places = new Map<string, { replica: string; pid: number }>();
      for (const model of MODELS) places.set(model, await withModel(one, model));
      expect(new Set([...places.values()].map(({ pid }) => pid)).size).toBe(2);
      const replicaWith = (model: string): string | undefined => places.get(model)?.replica;
      for (const model of MODELS) {
        expect((await withModel(one, model)).replica).toBe(replicaWith(model));
        // What one instance loaded the others learn a moment later.
        await eventually(async () => (await withModel(other, model)).replica === replicaWith(model));
        expect(await fronts.replicaWith.remote(model)).toBe(replicaWith(model));
      }
      const [dies, stays] = members;
      dies.kill();
      for (const caller of callers) await eventually(() => caller.fleet.peers.length === 1);
      for (const model of MODELS) {
        const place = await withModel(one, model);
        expect(place.pid).toBe(stays.pid);
        expect((await withModel(other, model)).replica).toBe(place.replica);
      }
    },
    START_MS,
  );
});
