import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { type Leaky, leaky, worker } from '../../fixtures/load/overload.ts';
import { busy } from '../../support/busy.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually } from '../../support/until.ts';

test('status() says how the host does, whether it sheds or not', async () => {
  await using serve = quietServe();
  await serve.run(worker.bind(new Shared().buffer));
  const instance = () => serve.status().instances[0];
  expect(instance()).toMatchObject({ id: serve.status().instance, address: undefined, state: 'ALIVE' });
  const relax = busy(150);
  await eventually(() => (instance()?.lagMs ?? 0) > 50);
  relax();
});

describe('growth watch', () => {
  test('a replica that leaks is replaced before it is too late: a new one first, and no call fails', async () => {
    const rss = process.memoryUsage.rss() / 1_048_576;
    const growthWatch = { sampleMs: 20, minGrowthMb: 20, fromShare: 0.3 };
    await using serve = quietServe({ growthWatch, resources: { memoryMb: Math.ceil(rss + 1_000) } });
    const handle: DeploymentHandle<typeof Leaky> = await serve.run(leaky.bind());
    const first = await handle.remote();
    const states: string[] = [];
    serve.on('replica', ({ replica, state }) => states.push(replica === first ? `old ${state}` : state));
    const recycled = event(serve, 'replica', ({ state }) => state === 'RECYCLING');
    let failed = 0;
    let stop = false;
    const load = (async () => {
      while (!stop) {
        await handle.grow.remote(1).catch(() => failed++);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    })();
    const { replica, reason } = await recycled;
    expect(replica).toBe(first);
    expect(reason).toMatch(/memory grows without end/);
    await eventually(async () => (await handle.remote()) !== first);
    stop = true;
    await load;
    expect(failed).toBe(0);
    expect(states.indexOf('RUNNING')).toBeLessThan(states.indexOf('old STOPPING'));
  });
});
