import { mixedDeclaration } from './fixtures.ts';
import { SimulatedFleet } from './simulated-fleet.ts';
import type { SimulatedInstance } from './simulated-instance.ts';

/** For how long things break, and how long the fleet has then to be as it should, in ms. */
const FAULTS_MS = 120_000;
const RECOVERY_MS = 240_000;
const DRAIN_MS = 45_000;
const BALANCE_MS = 180_000;
const REST_MS = 60_000;
const MAX_INSTANCES = 9;

type Fault = (fleet: SimulatedFleet) => void;

const FAULTS: readonly (readonly [weight: number, fault: Fault])[] = [
  [3, (fleet) => some(fleet)?.kill()],
  [2, (fleet) => fleet.leaders()[0]?.kill()],
  [4, (fleet) => void (fleet.alive().length < MAX_INSTANCES && fleet.start(undefined, traits(fleet)))],
  [3, restart],
  [2, (fleet) => some(fleet)?.handle({ type: 'close', timeoutMs: fleet.world.between(2_000, 30_000) })],
  [3, (fleet) => some(fleet)?.freeze(fleet.world.between(500, 40_000))],
  [2, (fleet) => fleet.leaders()[0]?.freeze(fleet.world.between(5_000, 40_000))],
  [2, (fleet) => some(fleet)?.blockHost(fleet.world.between(1_000, 30_000))],
  [3, partitionPair],
  [2, oneWay],
  [2, partitionGroups],
  [3, (fleet) => cutOff(fleet, some(fleet))],
  [2, (fleet) => cutOff(fleet, fleet.leaders()[0])],
  [2, (fleet) => fleet.store.freeze(fleet.world.between(200, 20_000))],
  [
    2,
    (fleet) =>
      forAWhile(
        fleet,
        30_000,
        () => (fleet.store.isDown = true),
        () => (fleet.store.isDown = false),
      ),
  ],
  [4, loseOrSkew],
  [1, (fleet) => storeFault(fleet, 'out-of-memory')],
  [1, (fleet) => storeFault(fleet, 'read-only')],
  [
    2,
    (fleet) =>
      forAWhile(
        fleet,
        20_000,
        () => (fleet.store.lossRate = 0.3),
        () => (fleet.store.lossRate = 0),
      ),
  ],
  [
    2,
    (fleet) =>
      forAWhile(
        fleet,
        20_000,
        () => (fleet.store.slowMs = 300),
        () => (fleet.store.slowMs = 0),
      ),
  ],
  [1, (fleet) => fleet.store.state.forge({ lease: { owner: 'nobody#1', token: 2 ** 53 } })],
  [1, (fleet) => fleet.store.state.forge({ plan: { number: 1e6, token: 1e6, value: Buffer.alloc(64) } })],
  [1, (fleet) => fleet.store.state.forge({ overrides: { number: 1e6, value: Buffer.alloc(64) } })],
  [4, (fleet) => void fleet.load.set('shop/auto', Math.round(fleet.world.between(0, 24)))],
  [3, (fleet) => void fleet.load.set('shop/zero', fleet.world.pick([0, 0, 1, 6]) ?? 0)],
  [2, scale],
];

/** A run of one seed: random faults, then health, then the fleet must be as it should be. Throws with what is wrong. */
export function runRandomFaults(seed: number): SimulatedFleet {
  const fleet = new SimulatedFleet(seed, mixedDeclaration());
  const { world } = fleet;
  const count = 1 + Math.floor(world.random() * 7);
  for (let index = 0; index < count; index++)
    world.after(world.random() < 0.5 ? world.between(0, 50) : world.between(0, 20_000), () =>
      fleet.start(undefined, traits(fleet)),
    );
  const total = FAULTS.reduce((sum, [weight]) => sum + weight, 0);
  for (let at = world.between(500, 8_000); at < FAULTS_MS; at += world.between(200, 8_000)) {
    world.after(at, () => {
      let left = world.random() * total;
      for (const [weight, fault] of FAULTS) {
        left -= weight;
        if (left < 0) return fault(fleet);
      }
    });
  }
  fleet.run(FAULTS_MS);
  recover(fleet);
  fleet.until(() => isAsItShould(fleet), RECOVERY_MS, 'a fleet as it should be');
  // Balancing takes its time; then nothing changes any more.
  fleet.run(BALANCE_MS);
  fleet.until(() => isAsItShould(fleet), RECOVERY_MS, 'a fleet that is still as it should be');
  const { plan } = fleet.leader().node.situation;
  fleet.run(REST_MS);
  if (fleet.leader().node.situation.plan !== plan)
    throw new Error(`it does not come to rest\n${fleet.describe()}`);
  return fleet;
}

function recover(fleet: SimulatedFleet): void {
  const { network, store } = fleet;
  const ids = [...fleet.instances.keys()];
  for (const a of ids) for (const b of ids) if (a < b) fleet.heal(a, b);
  store.cutOff.clear();
  store.isDown = false;
  store.lossRate = 0;
  store.slowMs = 0;
  store.state.fault = undefined;
  network.latencyMs = 0.3;
  // Instances that are leaving have left by then.
  fleet.run(DRAIN_MS);
  if (fleet.alive().length === 0) fleet.start();
}

function isAsItShould(fleet: SimulatedFleet): boolean {
  if (!fleet.isSettled()) return false;
  const staying = fleet.alive().length;
  const fixed =
    fleet.leader().node.situation.plan?.counts['shop/fixed']?.reduce((sum, count) => sum + count, 0) ?? 0;
  const auto = fleet.running('shop/auto');
  const zero = fleet.running('shop/zero');
  const isServed = (fleet.load.get('shop/zero') ?? 0) === 0 || zero > 0;
  return (
    fixed === fleet.wanted &&
    auto >= 1 &&
    auto <= 12 &&
    fleet.running('shop/each') === staying &&
    zero <= 4 &&
    isServed
  );
}

function some(fleet: SimulatedFleet): SimulatedInstance | undefined {
  return fleet.world.pick(fleet.alive());
}

/** Machines differ. */
function traits({ world }: SimulatedFleet): { clockRate: number; startMs: number; zone: string } {
  return {
    clockRate: world.between(0.9, 1.1),
    startMs: world.between(100, 3_000),
    zone: world.pick(['', 'a', 'b']) ?? '',
  };
}

function restart(fleet: SimulatedFleet): void {
  const dead = [...fleet.instances.values()].filter(({ isAlive }) => !isAlive);
  const instance = fleet.world.pick(dead);
  if (instance !== undefined && fleet.alive().length < MAX_INSTANCES) fleet.start(instance.id, traits(fleet));
}

function forAWhile(fleet: SimulatedFleet, mostMs: number, begin: () => void, end: () => void): void {
  begin();
  fleet.world.after(fleet.world.between(200, mostMs), end);
}

function partitionPair(fleet: SimulatedFleet): void {
  const [a, b] = [some(fleet), some(fleet)];
  if (a === undefined || b === undefined || a === b) return;
  forAWhile(
    fleet,
    40_000,
    () => fleet.partition(a.id, b.id),
    () => fleet.heal(a.id, b.id),
  );
}

function oneWay(fleet: SimulatedFleet): void {
  const [a, b] = [some(fleet), some(fleet)];
  if (a === undefined || b === undefined || a === b) return;
  forAWhile(
    fleet,
    40_000,
    () => fleet.network.block(a.id, b.id),
    () => fleet.network.unblock(a.id, b.id),
  );
}

/** One instance is apart from all others and from the store. */
function partitionGroups(fleet: SimulatedFleet): void {
  const lone = some(fleet);
  if (lone === undefined) return;
  const others = [...fleet.instances.keys()].filter((id) => id !== lone.id);
  forAWhile(
    fleet,
    40_000,
    () => {
      for (const id of others) fleet.partition(lone.id, id);
      fleet.store.cutOff.add(lone.id);
    },
    () => {
      for (const id of others) fleet.heal(lone.id, id);
      fleet.store.cutOff.delete(lone.id);
    },
  );
}

function cutOff(fleet: SimulatedFleet, instance: SimulatedInstance | undefined): void {
  if (instance === undefined) return;
  const { cutOff: apart } = fleet.store;
  forAWhile(
    fleet,
    40_000,
    () => apart.add(instance.id),
    () => apart.delete(instance.id),
  );
}

function storeFault(fleet: SimulatedFleet, fault: 'out-of-memory' | 'read-only'): void {
  const { state } = fleet.store;
  forAWhile(
    fleet,
    15_000,
    () => (state.fault = fault),
    () => (state.fault = undefined),
  );
}

/**
 * A store loses data, or its wall clock jumps: with both at once it could give out a token twice, if nobody who saw the
 * first one is there any more.
 */
function loseOrSkew(fleet: SimulatedFleet): void {
  const { store, world } = fleet;
  if (fleet.hasSteadyClock) {
    if (world.random() < 0.5) store.state.wipe();
    else failOver(fleet);
  } else store.skewMs += world.between(-3_600_000, 3_600_000);
}

/** The writes of the last seconds are lost. */
function failOver({ store, world }: SimulatedFleet): void {
  store.checkpoint();
  world.after(world.between(100, 15_000), () => store.failOver());
}

function scale(fleet: SimulatedFleet): void {
  const instance = some(fleet);
  if (instance === undefined) return;
  fleet.scale(instance, Math.floor(fleet.world.between(1, 9)));
}
