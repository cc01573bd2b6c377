import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { LightInstance } from '../../support/fleet/light-instance.ts';
import { Member } from '../../support/fleet/members.ts';
import { type LoadResult, poissonLoad } from '../../support/fleet/poisson-load.ts';
import { eventually } from '../../support/until.ts';

const LIMIT_MS = 300_000;
const SERVICE_MS = 20;
/** Duration of the comparison between one instance and three. */
const SECONDS = Number(process.env['INSERVE_FLEET_SECONDS'] ?? 60);
/** Mean wait in one instance beyond which the machine was busy with something else, in ms: a comparison says nothing then. */
const BUSY_MS = 200;

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

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

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
      await pause(1_000);
      const first = load.ended;
      await pause(3_000);
      const perSecond = (load.ended - first) / 3;
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
  test(
    'exceed no limit, and wait hardly longer than with all replicas in one instance',
    async () => {
      const places = 4;
      const load = async (
        members: readonly Member[],
        perSecond: number,
        forSeconds: number,
      ): Promise<LoadResult> => {
        const results = await Promise.all(
          members.map((member, index) => {
            const share = { perSecond: perSecond / members.length, seconds: forSeconds };
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
      };
      const capacity = async (member: Member): Promise<number> => {
        const calls = 2_000;
        const startedAt = performance.now();
        await member.tell({ type: 'load', calls, atOnce: 3 * places, ms: SERVICE_MS });
        return (calls / (performance.now() - startedAt)) * 1_000;
      };
      const told = ({ calls, waitSumMs, longestMs }: LoadResult): string =>
        `${calls} calls waited ${(waitSumMs / calls).toFixed(2)} ms, at most ${longestMs.toFixed(0)}`;

      await using single = await Member.start({ replicas: 3, maxOngoingRequests: places });
      const perSecond = 0.9 * (await capacity(single));
      const alone = await load([single], perSecond, SECONDS);
      await single[Symbol.asyncDispose]();

      await using disposables = new AsyncDisposableStack();
      const start = (): Promise<Member> => Member.start({ replicas: 1, maxOngoingRequests: places });
      const members = await Promise.all([start(), start(), start()]);
      for (const member of members) disposables.use(member);
      for (const member of members) {
        const peers = members.filter((other) => other !== member).map(({ address }) => address);
        await member.tell({ type: 'peers', peers });
      }
      using observer = new LightInstance('observer', (members[0] as Member).address);
      const probes = observer.handle<Probe>('probe');
      await eventually(() =>
        probes.where.remote().then(
          () => true,
          () => false,
        ),
      );
      await load(members, perSecond / 2, 2);
      const together = await load(members, perSecond, SECONDS);
      console.info(`${perSecond.toFixed(0)} calls/s; one instance: ${told(alone)}; three: ${told(together)}`);
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
        for (const peak of peaks) expect(peak).toBeLessThanOrEqual(places);
      }
      const wait = ({ calls, waitSumMs }: LoadResult): number => waitSumMs / calls;
      if (wait(alone) > BUSY_MS) return;
      expect([alone.failed, together.failed]).toEqual([{}, {}]);
      expect(wait(together)).toBeLessThan(2 * wait(alone) + SERVICE_MS);
    },
    LIMIT_MS,
  );
});
