import { describe, expect, test } from 'vitest';
import type { Consultation } from '../../src/cluster/node/events.ts';
import type { Wish } from '../../src/controller/autoscale.ts';
import { autoscalingOf } from '../../src/deployment/options/autoscaling-options.ts';
import { declarationOf, declared, mixedDeclaration } from '../support/fleet/fixtures.ts';
import { SimulatedFleet } from '../support/fleet/simulated-fleet.ts';
import type { SimulatedInstance } from '../support/fleet/simulated-instance.ts';

const FIXED = 'shop/fixed';

/** A fleet in which everything runs, for longer than a new leader waits and membership keeps quiet. */
function settled(count: number, seed = 1): SimulatedFleet {
  const fleet = new SimulatedFleet(seed);
  fleet.startMany(count);
  fleet.until(() => fleet.isSettled(), 15_000, 'a settled fleet');
  fleet.run(40_000);
  return fleet;
}

function followers(fleet: SimulatedFleet): SimulatedInstance[] {
  return fleet.alive().filter((instance) => instance !== fleet.leader());
}

function apart(fleet: SimulatedFleet, instance: SimulatedInstance): void {
  for (const other of fleet.alive()) if (other !== instance) fleet.partition(instance.id, other.id);
}

function together(fleet: SimulatedFleet, instance: SimulatedInstance): void {
  for (const other of fleet.alive()) if (other !== instance) fleet.heal(instance.id, other.id);
}

/** The lowest number of running replicas while time passes. */
function leastRunning(fleet: SimulatedFleet, deployment: string, ms: number): number {
  let least = Infinity;
  for (let passed = 0; passed < ms; passed += 100) {
    fleet.run(100);
    least = Math.min(least, fleet.running(deployment));
  }
  return least;
}

describe('instances end', () => {
  test('one that is killed: its replicas run elsewhere within 20 s', () => {
    const fleet = settled(3);
    followers(fleet)[0]?.kill();
    const took = fleet.until(() => fleet.running(FIXED) === 5 && fleet.isSettled(), 20_000);
    // Every other member is refused: no need to wait for the record to expire.
    expect(took).toBeLessThanOrEqual(10_000);
  });

  test('the leader is killed: another one leads within 17.4 s, and all replicas are back within 20 s', () => {
    const fleet = settled(3);
    const [old] = fleet.leaders();
    old?.kill();
    expect(fleet.until(() => fleet.leaders().length === 1, 17_400)).toBeGreaterThan(5_000);
    fleet.until(() => fleet.running(FIXED) === 5, 5_000);
  });

  test('one whose machine is lost, so that nobody is refused, is dead after 10 s without heartbeat', () => {
    const fleet = settled(3);
    const lost = followers(fleet)[0] as SimulatedInstance;
    apart(fleet, lost);
    lost.kill();
    const took = fleet.until(() => fleet.running(FIXED) === 5, 20_000);
    expect(took).toBeGreaterThan(8_000);
  });

  test('close() moves the replicas first: there are never fewer than before', () => {
    const fleet = settled(3);
    const leaving = fleet.leader();
    leaving.handle({ type: 'close', timeoutMs: 30_000 });
    expect(leastRunning(fleet, FIXED, 20_000)).toBeGreaterThanOrEqual(5);
    expect(fleet.closed.has(leaving.id)).toBe(true);
    // It gave the lease back: nobody waits until it expires.
    expect(fleet.leaders()).toHaveLength(1);
  });

  test('close() does not wait for replicas that no other instance can run, but for their calls', () => {
    const fleet = settled(2);
    const alone = fleet.start('alone', { declaration: declarationOf('1', [declared('only', {})]) });
    fleet.until(() => fleet.running('shop/only') === 1, 15_000);
    fleet.load.set('shop/only', 1);
    fleet.run(2_000);
    alone.handle({ type: 'close', timeoutMs: 30_000 });
    fleet.run(10_000);
    expect(fleet.closed.has(alone.id)).toBe(false);
    fleet.load.set('shop/only', 0);
    fleet.until(() => fleet.closed.has(alone.id), 5_000);
  });

  test('a rolling restart with new code never has fewer replicas than wanted', () => {
    const fleet = settled(3);
    for (const old of fleet.alive()) {
      fleet.start(`${old.id}-new`, { declaration: mixedDeclaration('2') });
      fleet.run(5_000);
      old.handle({ type: 'close', timeoutMs: 30_000 });
      expect(leastRunning(fleet, FIXED, 30_000)).toBeGreaterThanOrEqual(5);
      expect(fleet.closed.has(old.id)).toBe(true);
    }
    expect(fleet.alive().map(({ declaration }) => declaration.codeVersion)).toEqual(['2', '2', '2']);
  });
});

describe('instances stand still', () => {
  test('a leader that is frozen past its lease is replaced, and nothing of it is obeyed afterwards', () => {
    const fleet = settled(3);
    const old = fleet.leader();
    const { token } = old.node.situation;
    old.freeze(30_000);
    fleet.until(() => fleet.leaders().length === 1, 17_400);
    fleet.run(30_000);
    expect(old.node.situation.isLeading).toBe(false);
    fleet.until(() => fleet.isSettled(), 30_000);
    for (const { node } of fleet.alive()) expect(node.situation.plan?.token).toBeGreaterThan(token);
  });

  test('one that was frozen for 30 s is back in the fleet within 4 s', () => {
    const fleet = settled(3);
    const frozen = followers(fleet)[0] as SimulatedInstance;
    frozen.freeze(30_000);
    fleet.run(30_000);
    fleet.until(() => fleet.leader().node.situation.plan?.instances.includes(frozen.id) === true, 4_000);
  });

  test('a leader whose host is blocked for more than 10 s loses the lease; one of 8 s keeps it', () => {
    const fleet = settled(3);
    const old = fleet.leader();
    old.blockHost(8_000);
    fleet.run(20_000);
    expect(fleet.leader()).toBe(old);
    old.blockHost(60_000);
    fleet.run(45_000);
    expect(fleet.leader()).not.toBe(old);
    expect(fleet.running(FIXED)).toBe(5);
  });
});

describe('the network', () => {
  test.each(['both ways', 'one way'])('a cut between two instances, %s, changes nothing', (kind) => {
    const fleet = settled(4);
    const plan = fleet.leader().node.situation.plan;
    const [a, b] = kind === 'one way' ? [fleet.leader(), followers(fleet)[0]] : followers(fleet);
    if (kind === 'one way') fleet.network.block(a?.id ?? '', b?.id ?? '');
    else fleet.partition(a?.id ?? '', b?.id ?? '');
    fleet.run(90_000);
    expect(fleet.leader().node.situation.plan).toBe(plan);
  });

  test('an instance without the store, that peers reach, keeps its replicas and gets new plans', () => {
    const fleet = settled(3);
    const lone = followers(fleet)[0] as SimulatedInstance;
    fleet.store.cutOff.add(lone.id);
    fleet.run(60_000);
    expect(fleet.leader().node.situation.plan?.instances).toContain(lone.id);
    fleet.scale(fleet.leader(), 8);
    fleet.until(() => fleet.running(FIXED) === 8, 5_000);
    expect(lone.node.situation.plan).toEqual(fleet.leader().node.situation.plan);
  });

  test('a leader without the store demotes itself in 10 s', () => {
    const fleet = settled(3);
    const old = fleet.leader();
    fleet.store.cutOff.add(old.id);
    expect(fleet.until(() => !old.node.situation.isLeading, 12_000)).toBeGreaterThan(5_000);
    fleet.until(() => fleet.leaders().length === 1, 8_000);
  });

  test('one apart from peers and store goes on with the last plan; the others replace its share', () => {
    const fleet = settled(3);
    const lone = followers(fleet)[0] as SimulatedInstance;
    const before = { ...lone.targets };
    apart(fleet, lone);
    fleet.store.cutOff.add(lone.id);
    fleet.run(60_000);
    expect(lone.targets).toEqual(before);
    expect(fleet.running(FIXED)).toBe(5 + lone.stub.running(FIXED));
    together(fleet, lone);
    fleet.store.cutOff.delete(lone.id);
    fleet.until(() => fleet.isSettled() && fleet.running(FIXED) === 5, 60_000);
  });
});

describe('the store', () => {
  test('frozen for 30 s: no replica is stopped, and there is a leader 5 s after it goes on', () => {
    const fleet = settled(3);
    fleet.store.freeze(30_000);
    expect(leastRunning(fleet, FIXED, 30_000)).toBe(5);
    fleet.until(() => fleet.leaders().length === 1, 5_000);
    expect(leastRunning(fleet, FIXED, 30_000)).toBe(5);
  });

  test('gone for two minutes: the same, and commands fail within a second instead of waiting', () => {
    const fleet = settled(3);
    fleet.store.isDown = true;
    fleet.run(3_000);
    const [instance] = fleet.alive() as [SimulatedInstance];
    const command = fleet.scale(instance, 9);
    fleet.run(1_000);
    expect(instance.answers.get(command)).toMatch('not reachable');
    expect(leastRunning(fleet, FIXED, 117_000)).toBe(5);
    fleet.store.isDown = false;
    fleet.until(() => fleet.isSettled(), 5_000);
  });

  test('out of memory: every command says so, also right after another write was refused', () => {
    const fleet = settled(3);
    const [instance] = fleet.alive() as [SimulatedInstance];
    fleet.store.state.fault = 'out-of-memory';
    for (let attempt = 0; attempt < 20; attempt++) {
      const command = fleet.scale(instance, 9);
      fleet.run(100);
      expect(instance.answers.get(command)).toMatch('out-of-memory');
    }
    expect(fleet.running(FIXED)).toBe(5);
    // It may have memory again before the next heartbeat says so.
    fleet.store.state.fault = undefined;
    const command = fleet.scale(instance, 9);
    fleet.run(100);
    expect([instance.answers.has(command), instance.answers.get(command)]).toEqual([true, undefined]);
  });

  test('restarted empty: no replica is stopped, members are back in two beats, overrides and versions survive', () => {
    const fleet = settled(3);
    fleet.scale(fleet.leader(), 7);
    fleet.until(() => fleet.running(FIXED) === 7, 5_000);
    fleet.store.state.wipe();
    expect(leastRunning(fleet, FIXED, 4_500)).toBe(7);
    const beat = fleet.store.state.beat({
      id: 'observer',
      ttlMs: 1_000,
      declarationHash: '',
      declarationTtlMs: 1_000,
      lease: undefined,
      leaseTtlMs: 15_000,
      documentTtlMs: 1_000,
      slice: 0,
    });
    expect(beat.members).toHaveLength(3);
    fleet.run(5_000);
    expect(fleet.isSettled()).toBe(true);
    fleet.start('late');
    fleet.until(() => fleet.isSettled(), 10_000);
    expect(fleet.running(FIXED)).toBe(7);
  });

  test('failed over with lost writes: the last generation and the last plan are written again', () => {
    const fleet = settled(3);
    fleet.store.checkpoint();
    fleet.scale(fleet.leader(), 8);
    fleet.until(() => fleet.running(FIXED) === 8, 5_000);
    const { generation, plan } = fleet.leader().node.situation;
    fleet.store.failOver();
    fleet.run(5_000);
    const { overrides, plan: stored } = fleet.store.state.read({
      members: [],
      declarations: [],
      overrides: true,
      plan: true,
      versions: false,
    });
    expect(overrides?.number).toBe(generation);
    expect(stored?.number).toBeGreaterThanOrEqual(plan?.number ?? 0);
    expect(fleet.running(FIXED)).toBe(8);
  });

  test('out of memory: members stay, joins and plans wait, and one alarm a minute says so', () => {
    const fleet = settled(3);
    fleet.store.state.fault = 'out-of-memory';
    fleet.run(30_000);
    expect(fleet.leaders()).toHaveLength(1);
    const late = fleet.start('late');
    fleet.run(30_000);
    expect(late.faults).toEqual([
      expect.stringMatching(/^store out-of-memory: Redis is out of memory: .* \(join\)/),
    ]);
    fleet.store.state.fault = undefined;
    fleet.until(() => fleet.isSettled(), 10_000);
  });

  test('a forged lease, plan and overrides are ignored, reported, and written over', () => {
    const fleet = settled(3);
    fleet.scale(fleet.leader(), 6);
    fleet.until(() => fleet.running(FIXED) === 6, 5_000);
    const value = Buffer.alloc(64);
    fleet.store.state.forge({
      lease: { owner: 'nobody#1', token: 2 ** 53 },
      overrides: { number: 1_000_000, value },
      plan: { number: 1_000_000, token: 1_900_000_000_000, value },
    });
    expect(leastRunning(fleet, FIXED, 30_000)).toBe(6);
    fleet.scale(fleet.leader(), 7);
    fleet.until(() => fleet.running(FIXED) === 7, 5_000);
    expect(fleet.alive().flatMap(({ faults }) => faults)).toContainEqual(
      expect.stringMatching(
        /^unreadable overrides: .* not sealed with the secret .* fleet\.secret.* fleet\.name/,
      ),
    );
  });

  test.each([3_600_000, -3_600_000])('its wall clock jumps by %d ms: no replica is stopped', (ms) => {
    const fleet = settled(3);
    fleet.store.skewMs += ms;
    expect(leastRunning(fleet, FIXED, 60_000)).toBe(5);
    fleet.until(() => fleet.isSettled(), 10_000);
  });

  test('costs 1.5 operations a second and instance at most, also while it scales', () => {
    const fleet = settled(3);
    for (const times of fleet.store.callTimes.values()) times.length = 0;
    for (let round = 0; round < 6; round++) {
      fleet.load.set('shop/auto', round % 2 === 0 ? 20 : 1);
      fleet.run(20_000);
    }
    for (const times of fleet.store.callTimes.values()) expect(times.length / 120).toBeLessThanOrEqual(1.5);
  });
});

describe('boot', () => {
  test.each([1, 2, 3, 4, 5])(
    'eight at once have one leader and never more than numReplicas, seed %d',
    (seed) => {
      const fleet = new SimulatedFleet(seed);
      fleet.startMany(8);
      for (let passed = 0; passed < 20_000; passed += 100) {
        fleet.run(100);
        expect(fleet.targeted(FIXED)).toBeLessThanOrEqual(5);
      }
      expect(fleet.isSettled()).toBe(true);
    },
  );

  test('without a store eight serve alone; once it is there the surplus goes', () => {
    const fleet = new SimulatedFleet(1);
    fleet.store.isDown = true;
    fleet.startMany(8);
    fleet.run(10_000);
    for (const { stub } of fleet.alive()) expect(stub.running(FIXED)).toBe(5);
    fleet.store.isDown = false;
    fleet.until(() => fleet.isSettled() && fleet.running(FIXED) === 5, 60_000);
  });

  test('minReplicasPerInstance is there before any plan', () => {
    const fleet = new SimulatedFleet(1);
    fleet.store.isDown = true;
    fleet.startMany(2);
    fleet.run(2_000);
    expect(fleet.running('shop/each')).toBe(2);
  });
});

describe('joins', () => {
  test('a join moves at most ⌈replicas / instances⌉ replicas, one after the other, start before stop', () => {
    const fleet = settled(2);
    fleet.start('late');
    fleet.run(20_000);
    expect(fleet.instances.get('late')?.stub.running(FIXED)).toBe(0);
    expect(leastRunning(fleet, FIXED, 120_000)).toBe(5);
    const moved = fleet.instances.get('late')?.stub.running(FIXED) ?? 0;
    expect(moved).toBeGreaterThanOrEqual(1);
    expect(moved).toBeLessThanOrEqual(2);
  });

  test('an order in the midst of a move leaves no replica too many', () => {
    const fleet = settled(2);
    fleet.start('late', { startMs: 5_000 });
    fleet.until(() => fleet.targeted(FIXED) === 6, 90_000, 'a move');
    fleet.scale(fleet.leader(), 4);
    fleet.until(() => fleet.targeted(FIXED) === 4, 15_000);
    fleet.until(() => fleet.isSettled() && fleet.running(FIXED) === 4, 15_000);
  });

  test('an instance that comes and goes within 30 s moves nothing', () => {
    const fleet = settled(2);
    const before = fleet.alive().map(({ targets }) => ({ ...targets }));
    const late = fleet.start('late');
    fleet.run(20_000);
    late.kill();
    fleet.run(60_000);
    expect(fleet.alive().map(({ targets }) => targets)).toEqual(before);
  });

  test('zones get equal shares', () => {
    const fleet = new SimulatedFleet(1, declarationOf('1', [declared('fixed', { numReplicas: 6 })]));
    fleet.start('a1', { zone: 'a' });
    fleet.start('a2', { zone: 'a' });
    fleet.start('b1', { zone: 'b' });
    fleet.until(() => fleet.isSettled(), 10_000);
    expect(fleet.instances.get('b1')?.stub.running(FIXED)).toBe(3);
  });
});

describe('the controller over the fleet', () => {
  test('a step of the load gets its first new replica within 2 s', () => {
    const fleet = settled(3);
    fleet.load.set('shop/auto', 2);
    fleet.run(30_000);
    const before = fleet.targeted('shop/auto');
    fleet.load.set('shop/auto', 20);
    fleet.until(() => fleet.targeted('shop/auto') > before, 2_000);
    fleet.until(() => fleet.running('shop/auto') >= 10, 10_000);
  });

  test('scale to zero: the first call gets a replica, and without a leader one as well', () => {
    const fleet = settled(3);
    expect(fleet.running('shop/zero')).toBe(0);
    fleet.load.set('shop/zero', 1);
    fleet.until(() => fleet.running('shop/zero') === 1, 2_000);
    fleet.load.set('shop/zero', 0);
    fleet.until(() => fleet.targeted('shop/zero') === 0, 120_000);
    fleet.store.isDown = true;
    fleet.run(20_000);
    expect(fleet.leaders()).toEqual([]);
    fleet.load.set('shop/zero', 1);
    fleet.until(() => fleet.running('shop/zero') >= 1, 4_000);
    expect(fleet.targeted('shop/zero')).toBe(1);
    fleet.store.isDown = false;
    fleet.until(() => fleet.leaders().length === 1, 10_000);
    expect(leastRunning(fleet, 'shop/zero', 30_000)).toBe(1);
  });

  test('a policy of the code decides by the load of the whole fleet; its answers that are missing change nothing', () => {
    const autoscaling = autoscalingOf(undefined, { maxReplicas: 9, upscaleDelayMs: 0 });
    const fleet = new SimulatedFleet(
      1,
      declarationOf('1', [declared('auto', { autoscaling, policy: 'own' })]),
    );
    let wanted: number | undefined;
    const seen: number[] = [];
    const policy = ({ inputs }: Consultation): Wish => {
      seen.push(inputs.ongoing);
      return wanted ?? { hold: 'it failed' };
    };
    fleet.startMany(3, { policy });
    fleet.load.set('shop/auto', 12);
    fleet.run(30_000);
    expect(fleet.targeted('shop/auto')).toBe(1);
    expect(Math.max(...seen)).toBeCloseTo(12);
    wanted = 4;
    fleet.until(() => fleet.running('shop/auto') === 4, 5_000);
    wanted = undefined;
    fleet.load.set('shop/auto', 1);
    fleet.run(120_000);
    expect(fleet.running('shop/auto')).toBe(4);
  });

  test('nothing is scaled down while an instance is silent', () => {
    const fleet = settled(3);
    fleet.load.set('shop/auto', 20);
    fleet.until(() => fleet.running('shop/auto') >= 10, 20_000);
    const silent = followers(fleet)[0] as SimulatedInstance;
    fleet.partition(silent.id, fleet.leader().id);
    fleet.run(10_000);
    fleet.load.set('shop/auto', 1);
    fleet.run(120_000);
    expect(fleet.targeted('shop/auto')).toBeGreaterThanOrEqual(10);
    fleet.heal(silent.id, fleet.leader().id);
    fleet.until(() => fleet.targeted('shop/auto') <= 2, 150_000);
  });

  test('a scale-down by command goes in steps of at most half', () => {
    const fleet = new SimulatedFleet(1, declarationOf('1', [declared('fixed', { numReplicas: 40 })]));
    fleet.startMany(3, { cpus: 100 });
    fleet.until(() => fleet.isSettled(), 10_000);
    fleet.run(20_000);
    fleet.scale(fleet.leader(), 4);
    fleet.until(() => fleet.targeted(FIXED) < 40, 2_000);
    expect(fleet.targeted(FIXED)).toBe(20);
    fleet.until(() => fleet.targeted(FIXED) === 4, 10_000);
    for (const { node } of fleet.alive()) expect(node.situation.refusedPlans).toBe(0);
  });

  test('a deletion holds through restarts of the same code, and newer code lifts it', () => {
    const fleet = settled(2);
    fleet.command(fleet.leader(), { kind: 'delete', app: 'shop' });
    fleet.until(() => fleet.targeted(FIXED) === 0 && fleet.targeted('shop/each') === 0, 30_000);
    fleet.start('again');
    fleet.run(10_000);
    expect(fleet.targeted(FIXED)).toBe(0);
    fleet.start('newer', { declaration: mixedDeclaration('2') });
    fleet.until(() => fleet.running(FIXED) === 5, 20_000);
  });

  test('a version that does not start on one instance: its share goes elsewhere', () => {
    const fleet = settled(2);
    const bad = fleet.start('bad', { declaration: mixedDeclaration('2') });
    bad.stub.failing.add(FIXED);
    bad.stub.failing.add('shop/auto');
    bad.stub.failing.add('shop/each');
    expect(leastRunning(fleet, FIXED, 120_000)).toBe(5);
    expect(bad.node.situation.isLeading).toBe(false);
  });

  test('two commands at once are both carried out', () => {
    const fleet = settled(3);
    const [a, b] = fleet.alive() as [SimulatedInstance, SimulatedInstance];
    const first = fleet.scale(a, 7);
    const second = fleet.command(b, { kind: 'drain', instance: b.id, isDraining: true });
    fleet.run(1_500);
    expect([a.answers.get(first), b.answers.get(second)]).toEqual([undefined, undefined]);
    expect([a.answers.has(first), b.answers.has(second)]).toEqual([true, true]);
    fleet.until(() => fleet.running(FIXED) === 7 && b.stub.running(FIXED) === 0, 20_000);
  });
});
