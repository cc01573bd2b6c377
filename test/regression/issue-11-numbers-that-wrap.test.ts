import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { batch, multiplexed } from '../../src/index.ts';
import { type Basic, basic } from '../fixtures/calls/basic.ts';
import { quietServe } from '../support/quiet.ts';

const INVALID = expect.objectContaining({ code: 'SERVE_INVALID_OPTION' });
const TOO_MUCH = [2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER];

test.each(TOO_MUCH)('no option takes %d, which is another number in 32 bits', async (count) => {
  for (const options of [
    { maxQueuedRequests: count },
    { maxReplicasPerInstance: count },
    { maxConstructorRetryCount: count },
    { restart: { maxCrashes: count } },
    { autoscaling: { targetOngoingRequests: count } },
    { autoscaling: { upscalingFactor: count } },
    { autoscaling: { panic: { windowMs: 100, threshold: count } } },
    { resourceLimits: { maxOldGenerationSizeMb: count } },
    { resourceLimits: { stackSizeMb: count } },
    { resourceLimits: { codeRangeSizeMb: count } },
    { requestTimeoutMs: count },
    { resources: { cpus: count } },
  ])
    expect(() => basic.options(options), JSON.stringify(options)).toThrow(INVALID);
  expect(() => batch({ maxBatchSize: count }, (items: number[]) => items)).toThrow(INVALID);
  expect(() => batch({ maxConcurrentBatches: count }, (items: number[]) => items)).toThrow(INVALID);
  expect(() => multiplexed({ maxModelsPerReplica: count }, async () => 1)).toThrow(INVALID);
  expect(() => multiplexed({ maxLoadsPerSecond: count }, async () => 1)).toThrow(INVALID);
  const quiet = (options: object) => () => quietServe(options);
  expect(quiet({ tenants: { default: { maxInFlight: count } } })).toThrow(INVALID);
  expect(quiet({ tenants: { default: { maxPerSecond: count } } })).toThrow(INVALID);
  expect(quiet({ growthWatch: { minGrowthMb: count } })).toThrow(INVALID);
  await using serve = quietServe();
  expect(() => serve.attachWebSocket(createServer(), { messageLimit: count })).toThrow(INVALID);
  const handle = serve.handle<typeof Basic>('none');
  expect(() => handle.map([], { concurrency: count })).toThrow(INVALID);
});

test('the longest queue refuses no call, and neither does a queue without a cap', async () => {
  await using serve = quietServe();
  for (const maxQueuedRequests of [2 ** 31 - 1, -1]) {
    const busy = basic.options({ maxQueuedRequests, maxOngoingRequests: 1 });
    const handle = await serve.run(busy.bind(), { routePrefix: null });
    const calls = Array.from({ length: 20 }, (_, index) => handle.echo.remote(index));
    expect(await Promise.all(calls)).toHaveLength(20);
  }
});
