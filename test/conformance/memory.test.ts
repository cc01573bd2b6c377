import { describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../src/index.ts';
import { type Faulty, faulty } from '../fixtures/faulty/faults.ts';
import { type Leaky, leaky } from '../fixtures/load/overload.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, status } from '../support/until.ts';

describe('resources.memoryMb is what a replica may hold', () => {
  test('one that holds more for a while, buffers included, is recycled; its calls finish', async () => {
    await using serve = quietServe();
    const bound = leaky.options({ resources: { memoryMb: 100 } }).bind();
    const handle: DeploymentHandle<typeof Leaky> = await serve.run(bound);
    const first = await handle.remote();
    const recycled = event(serve, 'replica', ({ state }) => state === 'RECYCLING');
    const replaced = event(
      serve,
      'replica',
      ({ state, replica }) => state === 'RUNNING' && replica !== first,
    );
    const slow = handle.growSlowly.remote(150, 2_000);
    expect(await recycled).toMatchObject({
      replica: first,
      reason: expect.stringMatching(/^it holds 1[5-9]\d MiB, more than its resources\.memoryMb \(100\)$/),
    });
    expect((await replaced).deployment).toBe('Leaky');
    expect(await slow).toBe(1);
    expect(await handle.remote()).not.toBe(first);
    await status(serve, 'Leaky', 'Leaky', 'HEALTHY');
    expect(serve.status().apps['Leaky']?.deployments['Leaky']).toMatchObject({ restarts: 1 });
    expect(serve.log.records).toContainEqual(
      expect.objectContaining({ level: 'error', message: expect.stringContaining('is recycled') }),
    );
  });

  test('one that stays within it is left alone', async () => {
    await using serve = quietServe();
    const handle = await serve.run(leaky.options({ resources: { memoryMb: 300 } }).bind());
    const first = await handle.remote();
    const states: string[] = [];
    serve.on('replica', ({ state }) => states.push(state));
    await handle.growSlowly.remote(150, 1_800);
    expect([await handle.remote(), states]).toEqual([first, []]);
  });

  test('its heap cannot outgrow it', async () => {
    await using serve = quietServe();
    const bound = faulty.options({ resources: { memoryMb: 64 } }).bind(new Shared().buffer);
    const handle: DeploymentHandle<typeof Faulty> = await serve.run(bound);
    expect(await handle.limits.remote()).toEqual({ young: 48, old: 64 });
    await expect(handle.fillHeap.remote()).rejects.toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('its heap was full (resources.memoryMb'),
      cause: expect.objectContaining({ code: 'ERR_WORKER_OUT_OF_MEMORY' }),
    });
    expect(await handle.remote()).toMatch(/^Faulty#/);
  });

  test('resourceLimits win over it', async () => {
    await using serve = quietServe();
    const options = { resources: { memoryMb: 64 }, resourceLimits: { maxOldGenerationSizeMb: 40 } };
    const handle: DeploymentHandle<typeof Faulty> = await serve.run(
      faulty.options(options).bind(new Shared().buffer),
    );
    expect(await handle.limits.remote()).toEqual({ young: 48, old: 40 });
  });
});
