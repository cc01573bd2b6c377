import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve, ServeError } from '../../src/index.ts';
import { flood } from '../fixtures/load/flood.ts';
import { CELL, type Lifecycle, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually, status } from '../support/until.ts';

type Handle = DeploymentHandle<typeof Lifecycle>;

function queued(serve: Serve): number {
  return serve.status().apps['Lifecycle']?.deployments['Lifecycle']?.queued ?? -1;
}

async function codeOf(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'ok',
    (error: ServeError) => error.code,
  );
}

/** Ray Serve's behaviours 33–37 and 39, with our codes. */
describe('back-pressure and routing', () => {
  test('33: one runs, one queues, the third is refused; then both succeed', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = {
      maxOngoingRequests: 1,
      maxQueuedRequests: 1,
      backpressure: { statusCode: 429, retryAfterMs: 2_500 },
    };
    const handle: Handle = await serve.run(
      lifecycle.options(options as never).bind({ shared: shared.buffer, label: 'ok' }),
    );
    const first = handle.hold.remote();
    const second = handle.hold.remote();
    await expect(handle.hold.remote()).rejects.toMatchObject({
      code: 'SERVE_BACKPRESSURE',
      statusCode: 429,
      retryAfterMs: 2_500,
      retryable: true,
      deployment: 'Lifecycle',
    });
    expect(queued(serve)).toBe(1);
    shared.set(CELL.gate, 1);
    expect(await Promise.all([first, second])).toEqual(['ok', 'ok']);
    expect(shared.get(CELL.peak)).toBe(1);
    expect(await handle.hold.remote()).toBe('ok');
  });

  test('33: without a queue nothing waits', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { maxOngoingRequests: 1, maxQueuedRequests: 0 };
    const handle: Handle = await serve.run(lifecycle.options(options).bind({ shared: shared.buffer }));
    const first = handle.hold.remote();
    const refused = await handle.hold.remote().catch((error: ServeError) => error);
    expect(refused).toMatchObject({ code: 'SERVE_BACKPRESSURE', statusCode: 503 });
    // From the drain rate: at least a second, and spread by half.
    expect((refused as ServeError).retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect((refused as ServeError).retryAfterMs).toBeLessThanOrEqual(1_500);
    shared.set(CELL.gate, 1);
    await first;
  });

  test('34: the back-pressure of a child is that of its parent', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { maxOngoingRequests: 1, maxQueuedRequests: 0, backpressure: { statusCode: 429 } };
    const child = lifecycle.options(options as never).bind({ shared: shared.buffer });
    const parent = lifecycle.options({ name: 'Parent' });
    const handle: Handle = await serve.run(
      parent.bind({ shared: shared.buffer, nested: { handles: [child] } }),
    );
    const busy = handle.delegate.remote();
    await shared.atLeast(CELL.started, 2);
    await expect(handle.ask.remote()).rejects.toMatchObject({ code: 'SERVE_BACKPRESSURE', statusCode: 429 });
    busy.cancel();
    await codeOf(busy);
  });

  test('35: callers in several threads never exceed the limit of a replica, and lose no call', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(CELL.gate, 1);
    const child = lifecycle
      .options({ maxOngoingRequests: 2, maxQueuedRequests: -1 })
      .bind({ shared: shared.buffer, label: 'x' });
    const parent = flood.options({ numReplicas: 3, maxOngoingRequests: 1 });
    const handle = await serve.run(parent.bind(child));
    await status(serve, 'Flood', 'Flood', 'HEALTHY');
    const calls = 300;
    const host = serve.handle<typeof Lifecycle>('Lifecycle', { app: 'Flood' });
    const [done, fromHost] = await Promise.all([
      handle.broadcast('run', calls),
      Promise.all(Array.from({ length: calls }, () => host.hold.remote())),
    ]);
    expect(done).toEqual([calls, calls, calls]);
    expect(fromHost).toHaveLength(calls);
    expect(shared.get(CELL.finished)).toBe(4 * calls);
    expect(shared.get(CELL.peak)).toBeLessThanOrEqual(2);
    const report = serve.status().apps['Flood']?.deployments['Lifecycle'];
    expect(report).toMatchObject({ queued: 0, replicas: [{ ongoing: 0 }] });
  });

  test('36: with one replica stuck in a call all others go to the free one', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { numReplicas: 2, maxOngoingRequests: 1 };
    const handle: Handle = await serve.run(
      lifecycle.options(options).bind({ shared: shared.buffer, label: 'ok' }),
    );
    await status(serve, 'Lifecycle', 'Lifecycle', 'HEALTHY');
    const stuck = handle.hold.remote();
    await shared.atLeast(CELL.started, 1);
    const others = await Promise.all(Array.from({ length: 50 }, () => handle.remote()));
    expect(new Set(others.map(({ replica }) => replica)).size).toBe(1);
    shared.set(CELL.gate, 1);
    await stuck;
  });

  test('37: calls that wait for the first replica are served first come first served', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const app = flood
      .options({ name: 'Order', maxOngoingRequests: 1 })
      .bind(lifecycle.bind({ shared: shared.buffer }));
    const handle = serve.handle(app);
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 30 }, (_, n) => handle.order.remote(n).then((at) => order.push(at))),
    );
    expect(order).toEqual(Array.from({ length: 30 }, (_, n) => n));
    expect(await handle.orderSeen.remote()).toEqual(order);
  });

  test('37: a more important call overtakes, an earlier deadline does as well', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const app = flood
      .options({ name: 'Order', maxOngoingRequests: 1 })
      .bind(lifecycle.bind({ shared: shared.buffer }));
    const handle = serve.handle(app);
    await Promise.all([
      handle.options({ priority: 'sheddable' }).order.remote(3),
      handle.order.remote(2),
      handle.options({ timeoutMs: 20_000 }).order.remote(1),
      handle.options({ priority: 'critical-plus' }).order.remote(0),
    ]);
    expect(await handle.orderSeen.remote()).toEqual([0, 1, 2, 3]);
  });

  test('39: a queued call that is cancelled never runs, and later ones overtake it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { maxOngoingRequests: 1 };
    const handle: Handle = await serve.run(
      lifecycle.options(options).bind({ shared: shared.buffer, label: 'ok' }),
    );
    const running = handle.hold.remote();
    const abort = new AbortController();
    const bySignal = handle.options({ signal: abort.signal }).hold.remote();
    const byCall = handle.hold.remote();
    const byDeadline = handle.options({ timeoutMs: 20 }).hold.remote();
    const last = handle.remote();
    abort.abort(new Error('changed my mind'));
    byCall.cancel();
    expect(await Promise.all([bySignal, byCall, byDeadline].map(codeOf))).toEqual([
      'SERVE_CANCELLED',
      'SERVE_CANCELLED',
      'SERVE_TIMEOUT',
    ]);
    expect(queued(serve)).toBe(1);
    shared.set(CELL.gate, 1);
    await running;
    expect((await last).label).toBe('ok');
    expect(shared.get(CELL.started)).toBe(1);
  });

  test('a running call that is cancelled sees its signal, and holds its place until it ends', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle: Handle = await serve.run(
      lifecycle.options({ maxOngoingRequests: 1 }).bind({ shared: shared.buffer }),
    );
    const call = handle.untilAborted.remote();
    await shared.atLeast(CELL.started, 1);
    call.cancel();
    call.cancel();
    expect(await codeOf(call)).toBe('SERVE_CANCELLED');
    await shared.atLeast(CELL.finished, 1);
    await eventually(
      () => serve.status().apps['Lifecycle']?.deployments['Lifecycle']?.replicas[0]?.ongoing === 0,
    );
    call.cancel();
  });

  test('an aborted signal fails a call at once, and no listener stays behind', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle: Handle = await serve.run(lifecycle.bind({ shared: shared.buffer }));
    expect(await codeOf(handle.options({ signal: AbortSignal.abort() }).hold.remote())).toBe(
      'SERVE_CANCELLED',
    );
    expect(shared.get(CELL.started)).toBe(0);
    const { signal } = new AbortController();
    const listening = handle.options({ signal });
    await Promise.all(Array.from({ length: 20 }, () => listening.remote()));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });
});
