import { cpus } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { LightInstance } from '../../support/fleet/light-instance.ts';
import { Member } from '../../support/fleet/members.ts';
import { type LoadResult, poissonLoad } from '../../support/fleet/poisson-load.ts';
import { eventually } from '../../support/until.ts';

const LIMIT_MS = 900_000;
const SERVICE_MS = 20;
/** Duration of the comparison between one instance and three. */
const SECONDS = Number(process.env['INSERVE_FLEET_SECONDS'] ?? 60);
/**
 * One instance and three take turns under load, so that a machine that becomes slower or stalls for some rounds changes no
 * median.
 */
const ROUNDS = 5;
/**
 * Mean wait in one instance beyond which the machine was busy with something else, in ms, and the share of the CPU time that
 * is idle otherwise: a comparison says nothing about a machine that cannot keep up.
 */
const BUSY_MS = 200;
const IDLE_SHARE = 0.2;
/** Calls of a measurement of the capacity. */
const CAPACITY_CALLS = 900;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Callers that make one call after the other until they are stopped. */
class ClosedLoop {
  ended = 0;
  #isOver = false;
  readonly #callers: Promise<void>[];

  constructor(handle: DeploymentHandle<Probe>, callers: number) {
    const patient = handle.options({ timeoutMs: 60_000 });
    this.#callers = Array.from({ length: callers }, async () => {
      while (!this.#isOver) {
        await patient.hold.remote(SERVICE_MS);
        this.ended++;
      }
    });
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#callers);
  }
}

/** Calls per second of a load that goes on, over the next so many. */
async function rateOf(load: ClosedLoop, calls: number): Promise<number> {
  const [before, from] = [load.ended, performance.now()];
  await eventually(() => load.ended >= before + calls, LIMIT_MS);
  return ((load.ended - before) / (performance.now() - from)) * 1_000;
}

describe('one heavy caller and 19 light ones', () => {
  test.each([4, 1])(
    'no light call times out, and few are refused: %i places',
    async (places) => {
      await using host = await Member.start({ replicas: 1, maxOngoingRequests: places });
      using instances = new DisposableStack();
      const callers = Array.from({ length: 20 }, (_, index) =>
        instances.use(new LightInstance(`caller-${index}`, host.address)),
      );
      const [heavy, ...light] = callers as [LightInstance, ...LightInstance[]];
      const handles = light.map((caller) => caller.handle<Probe>('probe').options({ timeoutMs: 5_000 }));
      for (const handle of [heavy.handle<Probe>('probe'), ...handles])
        await eventually(() =>
          handle.where.remote().then(
            () => true,
            () => false,
          ),
        );
      // The heavy caller alone shows what the host can do on this machine, and goes on.
      const load = new ClosedLoop(heavy.handle<Probe>('probe'), 200);
      await rateOf(load, 200);
      const perSecond = await rateOf(load, 150 * places);
      const [heavyBefore, refusedBefore] = [load.ended, sum(callers.map(({ counts }) => counts.refused))];
      const seconds = 20;
      const results: LoadResult[] = await Promise.all(
        handles.map((handle, index) =>
          poissonLoad(handle, { perSecond: perSecond / 100, seconds, ms: SERVICE_MS, seed: index + 1 }),
        ),
      );
      const heavyCalls = load.ended - heavyBefore;
      const refused = sum(callers.map(({ counts }) => counts.refused)) - refusedBefore;
      await load.stop();
      const lightCalls = sum(results.map(({ calls }) => calls));
      const served = heavyCalls + lightCalls;
      console.info(
        `${places} places: ${perSecond.toFixed(0)} calls/s alone; with light callers ${served} served, ${lightCalls} of them light, ` +
          `${(refused / served).toFixed(3)} refusals a call; light calls wait ${(sum(results.map(({ waitSumMs }) => waitSumMs)) / lightCalls).toFixed(1)} ms, ` +
          `at most ${Math.max(...results.map(({ longestMs }) => longestMs)).toFixed(0)}`,
      );
      expect(results.map(({ failed }) => failed)).toEqual(results.map(() => ({})));
      expect(lightCalls).toBeGreaterThan(0);
      expect(refused / served).toBeLessThan(1.1);
      expect(await heavy.handle<Probe>('probe').peak.remote()).toBe(places);
    },
    LIMIT_MS,
  );
});

describe('three instances that call for a minute at a load of 0.9', () => {
  const PLACES = 4;

  async function poisson(
    members: readonly Member[],
    perSecond: number,
    seconds: number,
  ): Promise<LoadResult> {
    const results = await Promise.all(
      members.map((member, index) => {
        const share = { perSecond: perSecond / members.length, seconds };
        const command = { ...share, ms: SERVICE_MS, seed: index + 1 };
        return member.tell({ type: 'poisson', load: command }) as Promise<LoadResult>;
      }),
    );
    return {
      calls: sum(results.map(({ calls }) => calls)),
      failed: Object.assign({}, ...results.map(({ failed }) => failed)) as Record<string, number>,
      waitSumMs: sum(results.map(({ waitSumMs }) => waitSumMs)),
      longestMs: Math.max(...results.map(({ longestMs }) => longestMs)),
    };
  }

  /** The calls per second that members serve as fast as they can. */
  async function capacity(members: readonly Member[]): Promise<number> {
    const calls = CAPACITY_CALLS / members.length;
    const atOnce = (9 * PLACES) / members.length;
    const startedAt = performance.now();
    await Promise.all(members.map((member) => member.tell({ type: 'load', calls, atOnce, ms: SERVICE_MS })));
    return (CAPACITY_CALLS / (performance.now() - startedAt)) * 1_000;
  }

  async function fleetOfThree(resources: AsyncDisposableStack): Promise<Member[]> {
    const start = (): Promise<Member> => Member.start({ replicas: 1, maxOngoingRequests: PLACES });
    const members = await Promise.all([start(), start(), start()]);
    for (const member of members) resources.use(member);
    for (const member of members) {
      const peers = members.filter((other) => other !== member).map(({ address }) => address);
      await member.tell({ type: 'peers', peers });
    }
    // Each one calls the replicas of all.
    for (const member of members)
      await eventually(async () => {
        const served = await member.tell({ type: 'load', calls: 60, atOnce: 3 * PLACES, ms: SERVICE_MS });
        return Object.keys(served as object).length === members.length;
      });
    return members;
  }

  test(
    'exceed no limit, and wait hardly longer than with all replicas in one instance',
    async () => {
      await using resources = new AsyncDisposableStack();
      const single = resources.use(await Member.start({ replicas: 3, maxOngoingRequests: PLACES }));
      const members = await fleetOfThree(resources);
      /** What the mean wait of three instances exceeds its bound by, in ms. */
      const excess: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        // What this machine has time for now, in either way.
        const perSecond = 0.9 * Math.min(await capacity([single]), await capacity(members));
        const idle = new IdleTime();
        const alone = await poisson([single], perSecond, SECONDS / ROUNDS);
        const together = await poisson(members, perSecond, SECONDS / ROUNDS);
        const idleShare = idle.share;
        console.info(
          `${perSecond.toFixed(0)} calls/s; one instance: ${told(alone)}; three: ${told(together)}; ${(100 * idleShare).toFixed(0)} % idle`,
        );
        expect([alone.failed, together.failed]).toEqual([{}, {}]);
        if (meanWait(alone) > BUSY_MS || idleShare < IDLE_SHARE) continue;
        excess.push(meanWait(together) - (2 * meanWait(alone) + SERVICE_MS));
      }
      for (const member of members) {
        using caller = new LightInstance('counter', member.address);
        const handle = caller.handle<Probe>('probe');
        await eventually(() =>
          handle.where.remote().then(
            () => true,
            () => false,
          ),
        );
        const peaks = await handle.broadcast('peak');
        expect(peaks).toHaveLength(1);
        for (const peak of peaks) expect(peak).toBeLessThanOrEqual(PLACES);
      }
      if (excess.length > 0) expect(excess.sort((a, b) => a - b)[excess.length >> 1]).toBeLessThan(0);
    },
    LIMIT_MS,
  );
});

function meanWait({ calls, waitSumMs }: LoadResult): number {
  return waitSumMs / calls;
}

/** The idle time of the machine since this object was made. */
class IdleTime {
  readonly #from = performance.now();
  readonly #before = IdleTime.#read();

  /** The share of the CPU time of all cores. */
  get share(): number {
    return (IdleTime.#read() - this.#before) / (performance.now() - this.#from) / cpus().length;
  }

  static #read(): number {
    return sum(cpus().map(({ times }) => times.idle));
  }
}

function told(result: LoadResult): string {
  return `${result.calls} calls waited ${meanWait(result).toFixed(2)} ms, at most ${result.longestMs.toFixed(0)}`;
}
