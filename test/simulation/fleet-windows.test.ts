import { describe, expect, test } from 'vitest';
import { constant, type Durations, exponential, mixed, type Random } from '../../sim/engine/random.ts';
import type { SimulatedPeerCall } from '../support/fleet/windows/simulated-call.ts';
import { type CallingInstance, WindowFleet } from '../support/fleet/windows/window-fleet.ts';
import { World } from '../support/fleet/world.ts';

const CALLS = 15_000;
const SEEDS = [1, 2, 3];
/** Time, in ms, until the first windows have arrived. */
const OPENING_MS = 5;

type Entry = (fleet: WindowFleet, random: Random) => CallingInstance | undefined;

const atOne: Entry = ({ instances }) => instances[0];
const atTwo: Entry = ({ instances }, random) => instances[random() < 0.5 ? 0 : 1];
const evenly: Entry = ({ instances }, random) => instances[Math.floor(random() * instances.length)];
const skewed: Entry = ({ instances }, random) => instances[Math.floor(random() ** 2.5 * instances.length)];

const FIVE = exponential(5);
/** Mean 5 ms: nine calls in ten take 2.5 ms, the others 27 ms. */
const BIMODAL = mixed(constant(2.5), constant(27), 0.102);

function fleetOf(world: World, places: readonly number[]): WindowFleet {
  // A round trip takes 0.2 ms on average.
  const fleet = new WindowFleet(world, places, () => world.between(0.05, 0.15));
  world.run(OPENING_MS);
  return fleet;
}

/** Runs calls at a load, until all have ended or much more time than they need has passed. */
function load(world: World, fleet: WindowFleet, share: number, service: Durations, entry: Entry): void {
  const meanMs = service.meanMs / fleet.places / share;
  fleet.arrive(CALLS, meanMs, service, () => entry(fleet, world.random));
  world.run(CALLS * meanMs * 1.2 + 5_000);
}

function expectEachOnce(calls: readonly SimulatedPeerCall[]): void {
  expect(calls.filter(({ begins, ends }) => begins !== 1 || ends !== 1)).toEqual([]);
}

describe('windows and landing', () => {
  // Mean waits in ms, of 30,000 calls with other seeds: the ideal, the windows, refused calls (docs/decisions/027-windows.md).
  test.each<[name: string, places: number[], share: number, service: Durations, Entry, bound: number]>([
    ['3 instances of 4 places, all calls enter at one, load 0.7', [4, 4, 4], 0.7, FIVE, atOne, 2],
    ['the same, load 0.95', [4, 4, 4], 0.95, FIVE, atOne, 1.4],
    ['calls enter evenly, load 0.95', [4, 4, 4], 0.95, FIVE, evenly, 1.4],
    ['calls enter at two, bimodal, load 0.95', [4, 4, 4], 0.95, BIMODAL, atTwo, 1.4],
    ['10 instances of 2 places, skewed, load 0.9', Array(10).fill(2), 0.9, FIVE, skewed, 3],
    ['calls take 0.5 ms, all enter at one, load 0.9', [4, 4, 4], 0.9, exponential(0.5), atOne, 4],
  ])(
    '%s: near the ideal, no place taken twice, each call ends once',
    (_, places, share, service, entry, bound) => {
      let [wait, ideal] = [0, 0];
      for (const seed of SEEDS) {
        const world = new World(seed);
        const fleet = fleetOf(world, places);
        load(world, fleet, share, service, entry);
        expectEachOnce(fleet.calls);
        expect(fleet.calls.length).toBe(CALLS);
        expect(fleet.excess).toBe(0);
        wait += fleet.meanWaitMs;
        ideal += fleet.idealWaitMs();
      }
      expect(wait / ideal).toBeLessThan(bound);
    },
  );

  test('three instances at load 0.9 with calls of 20 ms wait at most twice as long as one with all replicas', () => {
    for (const seed of SEEDS) {
      const world = new World(seed);
      const fleet = fleetOf(world, [8, 8, 8]);
      load(world, fleet, 0.9, constant(20), evenly);
      expectEachOnce(fleet.calls);
      expect(fleet.meanWaitMs).toBeLessThan(2 * fleet.idealWaitMs());
    }
  });

  test.each([
    [4, FIVE],
    [8, constant(20)],
    [1, FIVE],
  ])('a heavy caller does not starve 19 light ones at %i places', (places, service) => {
    const [seconds, heavyLoad, lightLoad, timeoutMs] = [20, 1.5, 0.19, 1_000];
    const world = new World(places);
    const fleet = fleetOf(world, [places, ...Array(20).fill(0)]);
    const [, heavy, ...light] = fleet.instances;
    const perMs = places / service.meanMs;
    const total = seconds * 1_000 * perMs;
    fleet.arrive(total * heavyLoad, 1 / perMs / heavyLoad, service, () =>
      heavy !== undefined && heavy.waiting < 500 ? heavy : undefined,
    );
    fleet.arrive(total * lightLoad, 1 / perMs / lightLoad, service, () => world.pick(light));
    world.run(seconds * 1_000);
    const served = fleet.calls.filter(({ ends }) => ends === 1);
    expect(served.length).toBeGreaterThan(0.95 * total);
    expect(fleet.refusals / served.length).toBeLessThan(1.1);
    const due = fleet.calls.filter(
      ({ entry, arrivedAt }) => entry !== heavy?.name && arrivedAt < world.now - timeoutMs,
    );
    expect(due.length).toBeGreaterThan(0.15 * total);
    expect(due.filter(({ waitMs }) => waitMs > timeoutMs)).toEqual([]);
    expect(fleet.excess).toBe(0);
  });

  test('short calls of one caller use nearly all places of a host that is one round trip away', () => {
    const world = new World(1);
    const fleet = fleetOf(world, [16, 0]);
    const caller = fleet.instances[1];
    const service = exponential(0.5);
    for (let call = 0; call < CALLS; call++) caller?.enter(service.draw(world.random));
    world.run((CALLS * service.meanMs) / 16 / 0.9);
    expect(fleet.calls.filter(({ ends }) => ends === 1).length).toBe(CALLS);
  });

  test('no stall and no second run while links break and replicas come and go', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const world = new World(seed);
      const fleet = new WindowFleet(world, [3, 2, 4, 0, 0], () => world.between(0.05, 5));
      world.run(50);
      fleet.arrive(400, 2, exponential(10), () => world.pick(fleet.instances));
      const disturb = (left: number): void => {
        if (left === 0) return;
        world.after(world.between(5, 60), () => {
          const instance = world.pick(fleet.instances);
          const link = world.pick(instance?.links ?? []);
          if (world.random() < 0.5 && instance !== undefined && link !== undefined)
            instance.breakLink(link, world.between(1, 50));
          else world.pick(fleet.instances.slice(0, 3))?.host.resize(Math.floor(world.between(0, 6)));
          disturb(left - 1);
        });
      };
      disturb(12);
      world.run(1_000);
      for (const [index, { host }] of fleet.instances.entries()) if (index < 3) host.resize(2);
      world.run(20_000);
      expect(fleet.calls.filter(({ begins, ends }) => begins > 1 || ends !== 1)).toEqual([]);
      expect(fleet.excess).toBe(0);
      expect(fleet.instances.map(({ host }) => [host.busy, host.windows.landed])).toEqual(
        fleet.instances.map(() => [0, 0]),
      );
    }
  });
});
