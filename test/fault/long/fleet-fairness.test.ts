import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { LightInstance } from '../../support/fleet/light-instance.ts';
import { Member } from '../../support/fleet/members.ts';
import { type LoadResult, poissonLoad } from '../../support/fleet/poisson-load.ts';
import { eventually } from '../../support/until.ts';

const LIMIT_MS = 300_000;
const SERVICE_MS = 20;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Calls one after the other, this many at a time, until it is told to stop. @returns the number of calls that ended */
function closedLoop(handle: DeploymentHandle<Probe>, atOnce: number): () => Promise<number> {
  let isOver = false;
  let ended = 0;
  const caller = async (): Promise<void> => {
    while (!isOver) {
      await handle.hold.remote(SERVICE_MS);
      ended++;
    }
  };
  const callers = Array.from({ length: atOnce }, caller);
  return async () => {
    isOver = true;
    await Promise.all(callers);
    return ended;
  };
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
      // The heavy caller alone shows what the host can do on this machine.
      const measured = closedLoop(heavy.handle<Probe>('probe').options({ timeoutMs: 60_000 }), 200);
      await pause(3_000);
      const perSecond = (await measured()) / 3;
      const before = sum(callers.map(({ counts }) => counts.refused));
      const stop = closedLoop(heavy.handle<Probe>('probe').options({ timeoutMs: 60_000 }), 200);
      const seconds = 20;
      const results: LoadResult[] = await Promise.all(
        handles.map((handle, index) =>
          poissonLoad(handle, { perSecond: perSecond / 100, seconds, ms: SERVICE_MS, seed: index + 1 }),
        ),
      );
      const heavyCalls = await stop();
      const lightCalls = sum(results.map(({ calls }) => calls));
      const refused = sum(callers.map(({ counts }) => counts.refused)) - before;
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
      const seconds = 60;
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
        await member.tell({ type: 'load', calls, atOnce: 6 * places, ms: SERVICE_MS });
        return (calls / (performance.now() - startedAt)) * 1_000;
      };
      const told = ({ calls, waitSumMs, longestMs }: LoadResult): string =>
        `${calls} calls waited ${(waitSumMs / calls).toFixed(2)} ms, at most ${longestMs.toFixed(0)}`;

      await using single = await Member.start({ replicas: 6, maxOngoingRequests: places });
      const perSecond = 0.9 * (await capacity(single));
      const alone = await load([single], perSecond, seconds);
      await single[Symbol.asyncDispose]();

      await using disposables = new AsyncDisposableStack();
      const start = (): Promise<Member> => Member.start({ replicas: 2, maxOngoingRequests: places });
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
      const together = await load(members, perSecond, seconds);
      console.info(`${perSecond.toFixed(0)} calls/s; one instance: ${told(alone)}; three: ${told(together)}`);
      expect([alone.failed, together.failed]).toEqual([{}, {}]);
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
        expect(peaks).toHaveLength(2);
        for (const peak of peaks) expect(peak).toBeLessThanOrEqual(places);
      }
      // By the clock of this machine, with room for what else it does.
      const wait = ({ calls, waitSumMs }: LoadResult): number => waitSumMs / calls;
      expect(wait(together)).toBeLessThan(2 * wait(alone) + SERVICE_MS);
    },
    LIMIT_MS,
  );
});
