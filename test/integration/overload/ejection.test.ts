import { describe, expect, test } from 'vitest';
import type { Serve } from '../../../src/index.ts';
import { HOLE, holed, holedCaller } from '../../fixtures/faulty/black-hole.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { steadyLoad } from '../../support/steady-load.ts';
import { event, eventually } from '../../support/until.ts';

const REPLICAS = 4;

/** Calls that reach a replica, and all of them, while so many more come. */
async function shareOf(number: number, shared: Shared, calls: number): Promise<number> {
  const count = (): number[] =>
    Array.from({ length: REPLICAS }, (_, one) => shared.get(HOLE.calls + one + 1));
  const before = count();
  const gained = (): number[] => count().map((value, one) => value - (before[one] ?? 0));
  const total = (): number => gained().reduce((sum, value) => sum + value);
  while (total() < calls) await new Promise((resolve) => setTimeout(resolve, 20));
  return (gained()[number - 1] ?? 0) / total();
}

function stateOf(serve: Serve, replica: string) {
  return serve.status().apps['Holed']?.deployments['Holed']?.replicas.find(({ id }) => id === replica);
}

describe('a replica that throws at once', () => {
  test('gets hardly a call, says why, and is back once it throws no more', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(holed.options({ numReplicas: REPLICAS }).bind(shared.buffer));
    await steadyLoad(
      12,
      async () => String(await handle.work.remote()),
      async () => {
        await shareOf(1, shared, 500);
        const ejected = event(serve, 'replica', ({ state }) => state === 'EJECTED');
        shared.set(HOLE.failing, 2);
        const { replica, reason } = await ejected;
        expect(reason).toMatch(
          /^\d+ of \d+ calls failed \(other replicas: 0 of \d+\); it gets one call every \d+ s/,
        );
        expect(stateOf(serve, replica)).toMatchObject({
          state: 'EJECTED',
          reason: expect.stringContaining('calls failed'),
        });
        expect(await shareOf(2, shared, 2_000)).toBeLessThan(0.05);
        const back = event(serve, 'replica', (data) => data.replica === replica && data.state === 'RUNNING');
        shared.set(HOLE.failing, 0);
        await back;
        expect(stateOf(serve, replica)).toMatchObject({ state: 'RUNNING' });
        await eventually(async () => (await shareOf(2, shared, 400)) > 0.05);
      },
    );
  });

  test('is left out by the threads of other deployments as well, and the host only says so', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const child = holed.options({ numReplicas: REPLICAS }).bind(shared.buffer);
    const handle = await serve.run(holedCaller.options({ numReplicas: 2 }).bind(child));
    await steadyLoad(
      12,
      async () => String(await handle.work.remote()),
      async () => {
        await shareOf(1, shared, 500);
        const ejected = event(serve, 'replica', ({ state }) => state === 'EJECTED');
        shared.set(HOLE.failing, 3);
        expect(await ejected).toMatchObject({ deployment: 'Holed' });
        expect(await shareOf(3, shared, 2_000)).toBeLessThan(0.05);
      },
    );
  });
});
