import { describe, expect, test } from 'vitest';
import type { CallExplanation, DeploymentHandle, Serve } from '../../../src/index.ts';
import { batcher } from '../../fixtures/batching/batching.ts';
import { front, WORK, type Worker, worker } from '../../fixtures/load/overload.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { eventually, status } from '../../support/until.ts';

async function start(
  serve: Serve,
  options: object = {},
): Promise<{ handle: DeploymentHandle<typeof Worker>; shared: Shared; instance: string }> {
  const shared = new Shared();
  const handle = await serve.run(worker.options(options).bind(shared.buffer));
  await status(serve, 'Worker', 'Worker', 'HEALTHY');
  return { handle, shared, instance: serve.status().instance };
}

/** Those of a call that went straight to a replica. */
const PLAIN = { deployment: 'Worker', queuedMs: 0, attempts: 1, hedged: false, batchSize: undefined };

describe('explain()', () => {
  test('of a call that runs, and of one that waits behind it', async () => {
    await using serve = quietServe();
    const { handle, shared, instance } = await start(serve, { maxOngoingRequests: 1 });
    const running = handle.hold.remote(1);
    await shared.atLeast(WORK.started, 1);
    const waiting = handle.hold.remote(2);
    const replica = expect.stringMatching(/^Worker#/);
    expect(running.explain()).toMatchObject({
      ...PLAIN,
      method: 'hold',
      state: 'running',
      replica,
      instance,
    });
    await eventually(() => waiting.explain().queuedMs > 10);
    expect(waiting.explain()).toMatchObject({ state: 'queued', attempts: 0, replica: undefined });
    const queuedSoFar = waiting.explain().queuedMs;
    shared.set(WORK.gate, 1);
    const { replica: ran } = await waiting;
    expect(waiting.explain()).toMatchObject({ state: 'ok', attempts: 1, replica: ran, instance });
    const { queuedMs } = waiting.explain();
    expect(queuedMs).toBeGreaterThanOrEqual(queuedSoFar);
    // It is over: nothing grows any more.
    await handle.pause.remote(5);
    expect(waiting.explain().queuedMs).toBe(queuedMs);
  });

  test('of a call that never left the queue', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve, { maxOngoingRequests: 1 });
    const running = handle.hold.remote(1);
    await shared.atLeast(WORK.started, 1);
    const waiting = handle.options({ timeoutMs: 3_000 }).hold.remote(2);
    await eventually(() => waiting.explain().queuedMs > 0);
    const queuedSoFar = waiting.explain().queuedMs;
    await expect(waiting).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    expect(waiting.explain()).toMatchObject({ state: 'SERVE_TIMEOUT', attempts: 0, replica: undefined });
    expect(waiting.explain().queuedMs).toBeGreaterThan(queuedSoFar);
    shared.set(WORK.gate, 1);
    await running;
  });

  test('of a call that is sent again: what its first replica took is no time in the queue', async () => {
    await using serve = quietServe();
    const { handle, shared, instance } = await start(serve, { numReplicas: 2, idempotent: true });
    const from = performance.now();
    const call = handle.dieLate.remote(40);
    const replica = await call;
    const tookMs = performance.now() - from;
    const { queuedMs, ...rest } = call.explain();
    expect(rest).toMatchObject({ attempts: 2, hedged: false, replica, instance, state: 'ok' });
    expect(shared.get(WORK.started)).toBe(2);
    // A timer may fire a millisecond early.
    expect(tookMs - queuedMs).toBeGreaterThanOrEqual(39);
  });

  test('of a hedged call: the replica that answered', async () => {
    await using serve = quietServe();
    const hedge = { afterMs: 200, maxExtraRatio: 1 };
    const { handle, instance } = await start(serve, { numReplicas: 2, idempotent: true, hedge });
    const call = handle.slowFirst.remote();
    const replica = await call;
    // On a busy machine the hedge may wait for its replica.
    const { queuedMs } = call.explain();
    expect(call.explain()).toMatchObject({
      ...PLAIN,
      queuedMs,
      hedged: true,
      replica,
      instance,
      state: 'ok',
    });
  });

  test('of a batched call, and of one that was not after it', async () => {
    await using serve = quietServe();
    const handle = await serve.run(batcher.bind(new Shared().buffer));
    const calls = [1, 2, 3, 4].map((n) => handle.double.remote(n));
    await Promise.all(calls);
    const [about] = calls.map((call) => call.explain()) as [CallExplanation];
    expect(about).toMatchObject({ deployment: 'Batcher', method: 'double', batchSize: 4, attempts: 1 });
    expect(about.replica).toMatch(/^Batcher#/);
    expect(about.instance).toBe(serve.status().instance);
  });

  test('of a composed call: waiting for its argument is not queueing', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve, { numReplicas: 2 });
    shared.set(WORK.gate, 1);
    const pauseMs = 300;
    const from = performance.now();
    const argument = handle.pause.remote(pauseMs);
    const composed = handle.hold.remote(argument);
    expect(composed.explain()).toMatchObject({ state: 'resolving arguments', queuedMs: 0, attempts: 0 });
    const { replica } = await composed;
    const tookMs = performance.now() - from;
    const { queuedMs } = composed.explain();
    expect(composed.explain()).toMatchObject({ ...PLAIN, queuedMs, replica, state: 'ok' });
    // A busy machine may let the call queue as well. A timer may fire a millisecond early.
    expect(tookMs - queuedMs).toBeGreaterThanOrEqual(pauseMs - 1);
    expect(argument.explain()).toMatchObject({ ...PLAIN, method: 'pause' });
  });

  test('of a call within a call, where it is made', async () => {
    await using serve = quietServe();
    const handle = await serve.run(front.bind(worker.bind(new Shared().buffer)));
    const outer = handle.explained.remote();
    const { inner, replica } = await outer;
    expect(inner).toMatchObject({ ...PLAIN, method: 'where', replica, requestId: outer.requestId });
    expect(inner.instance).toBe(serve.status().instance);
    expect(outer.explain()).toMatchObject({ deployment: 'Front', attempts: 1 });
  });
});
