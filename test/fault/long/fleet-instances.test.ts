import { afterAll, beforeAll, expect, test } from 'vitest';
import { FLEET_TIMING } from '../../../src/cluster/node/timing.ts';
import { Release } from '../../support/blocking.ts';
import { APPS_TIMING, type FleetApp, FleetApps, underRequests } from '../../support/fleet/apps.ts';
import { describeWithRedis, RedisServer } from '../../support/fleet/redis-server.ts';
import { eventually } from '../../support/until.ts';

/** Time for which a leader is blocked at least: far more than the silence after which an instance is taken for dead. */
const BLOCKED_MS = 8_000;

/** Faults of whole instances, rows 10–14 and 34 of the fault table, with processes. Times of the protocol are a fifth. */
describeWithRedis('instances of a fleet', () => {
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await RedisServer.start();
  });

  afterAll(() => redis[Symbol.asyncDispose]());

  async function followersOf(fleet: FleetApps): Promise<[leader: FleetApp, ...others: FleetApp[]]> {
    const leader = await fleet.leader();
    return [leader, ...fleet.alive.filter((app) => app !== leader)];
  }

  test('one of three is killed under load: no request to the others fails, and its replicas are back', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(3);
    await fleet.settled(3);
    const [leader, killed, other] = await followersOf(fleet);
    const outcomes = await underRequests([leader, other as FleetApp], async (so) => {
      await eventually(() => so.ok > 50);
      await killed?.kill();
      await fleet.settled(3);
      const served = so.ok;
      await eventually(() => so.ok > served + 50);
    });
    expect(outcomes.errors).toEqual([]);
  });

  test('the leader is killed under load: another one leads with a higher token, and nothing fails elsewhere', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(3);
    await fleet.settled(3);
    const [leader, ...others] = await followersOf(fleet);
    const { fleet: before } = await leader.status();
    const outcomes = await underRequests(others, async (so) => {
      await eventually(() => so.ok > 50);
      await leader.kill();
      const next = await fleet.leader();
      expect((await next.status()).fleet?.token).toBeGreaterThan(before?.token ?? 0);
      await fleet.settled(3);
      await next.tell({ type: 'scale', replicas: 4 });
      await fleet.settled(4);
    });
    expect(outcomes.errors).toEqual([]);
  });

  test('a leader that is frozen past its lease: one new leader, and nothing that the old one says is obeyed', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(3);
    await fleet.settled(3);
    const [leader, ...others] = await followersOf(fleet);
    const { fleet: before } = await leader.status();
    const outcomes = await underRequests(others, async () => {
      leader.signal('SIGSTOP');
      const next = await fleet.leader([leader]);
      await fleet.settled(3, [leader]);
      const kept = await fleet.replicas([leader]);
      leader.signal('SIGCONT');
      expect((await fleet.leader()).instance).toBe(next.instance);
      const tokens = await Promise.all(fleet.alive.map(async (app) => (await app.status()).fleet?.token));
      expect(new Set(tokens).size).toBe(1);
      expect(tokens[0]).toBeGreaterThan(before?.token ?? 0);
      // The surplus that it kept goes; the replicas that took its place, or it, are three in the end.
      await fleet.settled(3);
      expect((await fleet.replicas(others)).every((id) => !kept.includes(id))).toBe(true);
    });
    expect(outcomes.errors).toEqual([]);
  });

  test('one that is frozen and thaws is part of the fleet again', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(3);
    await fleet.settled(3);
    const [leader, frozen, other] = await followersOf(fleet);
    const outcomes = await underRequests([leader, other as FleetApp], async () => {
      frozen?.signal('SIGSTOP');
      await fleet.settled(3, [frozen as FleetApp]);
      frozen?.signal('SIGCONT');
      await eventually(async () => {
        const { instances } = await leader.status();
        return instances.find(({ id }) => id === frozen?.instance)?.state === 'UP';
      }, 180_000);
      await fleet.settled(3);
    });
    expect(outcomes.errors).toEqual([]);
  });

  test('a leader whose event loop is blocked hands over, its replicas serve on, and nobody takes it for dead', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(3);
    const before = await fleet.balanced(3);
    const [leader, ...others] = await followersOf(fleet);
    const states = new Set<string | undefined>();
    const outcomes = await underRequests(others, async () => {
      using release = new Release();
      const blocked = leader.tell({ type: 'block', until: release.path });
      await eventually(async () => {
        const [one] = others;
        const { instances, leader: now } = (await one?.status()) ?? { instances: [], leader: undefined };
        states.add(instances.find(({ id }) => id === leader.instance)?.state);
        return now !== leader.instance && release.ageMs > BLOCKED_MS;
      }, 180_000);
      release.open();
      await blocked;
    });
    expect(outcomes.errors).toEqual([]);
    expect(states).not.toContain('DEAD');
    expect(await fleet.settled(3)).toEqual(before);
  });

  test('a join moves few replicas, one that comes and goes moves none', async () => {
    const timing = { ...APPS_TIMING, moveQuietMs: 15_000 };
    await using fleet = new FleetApps(redis.url, { options: { numReplicas: 4 }, timing });
    await fleet.addMany(2);
    const before = await fleet.balanced(4);
    const [first] = fleet.alive;
    const flapping = await fleet.begin({ isEager: true }).listening();
    const isMember = async (): Promise<boolean> =>
      (await first?.status())?.instances.some(
        ({ id, state }) => id === flapping.instance && state !== 'DEAD',
      ) === true;
    await eventually(isMember, 60_000);
    await flapping.kill();
    await eventually(async () => !(await isMember()), 60_000);
    expect(await fleet.settled(4)).toEqual(before);
    const late = await fleet.add();
    await eventually(async () => (await late.replicas()).length === 1, 60_000);
    const after = await fleet.balanced(4);
    expect(after.filter((id) => !before.includes(id)).length).toBeLessThanOrEqual(Math.ceil(4 / 3));
  });

  test('eight that start at once have one leader and one set of replicas', async () => {
    // None serves alone for a while or is taken for dead because a busy machine lets it wait.
    const timing = { ...FLEET_TIMING, aloneMs: 60_000 };
    await using fleet = new FleetApps(redis.url, { options: { numReplicas: 4 }, timing });
    let most = 0;
    const apps = Array.from({ length: 8 }, () => fleet.begin({ isEager: true }));
    await Promise.all(apps.map((app) => app.listening()));
    await eventually(async () => {
      const all = (await fleet.replicas()).length;
      most = Math.max(most, all);
      return all === 4;
    }, 120_000);
    await fleet.leader();
    expect(most).toBeLessThanOrEqual(5);
    expect(await fleet.settled(4)).toHaveLength(4);
  });

  test('ten times the load: more replicas come, and go again', async () => {
    const autoscaling = { minReplicas: 1, maxReplicas: 6, downscaleDelayMs: 1_000 };
    await using fleet = new FleetApps(redis.url, { options: { autoscaling } });
    await fleet.addMany(3);
    const [first] = fleet.alive;
    await first?.tell({ type: 'load', callers: 1, ms: 50 });
    await fleet.settled(1);
    await first?.tell({ type: 'load', callers: 10, ms: 50 });
    await eventually(async () => (await fleet.replicas()).length >= 4, 60_000);
    await first?.tell({ type: 'load', callers: 0, ms: 0 });
    await fleet.settled(1);
  });

  test('a version that does not start on one instance gets no replica, and the others serve', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(2);
    const before = await fleet.settled(3);
    const bad = fleet.begin({ version: '2', args: { label: '2', isBroken: true }, isEager: true });
    await bad.listening();
    const outcomes = await underRequests(fleet.alive, async (so) => {
      await eventually(() => so.ok > 300, 60_000);
    });
    expect(outcomes.errors).toEqual([]);
    expect(outcomes.of('1')).toBe(outcomes.ok);
    expect(await bad.replicas()).toEqual([]);
    expect((await fleet.replicas()).filter((id) => before.includes(id)).length).toBeGreaterThanOrEqual(2);
  });

  test('a version whose process ends at every start never leads, and costs no request', async () => {
    await using fleet = new FleetApps(redis.url);
    await fleet.addMany(2);
    await fleet.settled(3);
    const leader = await fleet.leader();
    const { fleet: before } = await leader.status();
    const outcomes = await underRequests([...fleet.alive], async () => {
      for (let start = 0; start < 4; start++) {
        const crashing = fleet.begin({ version: '2', isEager: true });
        await crashing.listening();
        await crashing.kill();
      }
    });
    expect(outcomes.errors).toEqual([]);
    expect((await fleet.leader()).instance).toBe(leader.instance);
    expect((await leader.status()).fleet?.token).toBe(before?.token);
    await fleet.settled(3);
  });
});
