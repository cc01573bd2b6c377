import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve, ServeError } from '../../../src/index.ts';
import { type Leaky, leaky, WORK, worker } from '../../fixtures/load/overload.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually } from '../../support/until.ts';

/** Keeps the event loop busy, a slice at a time, until told otherwise. */
function busy(sliceMs: number): () => void {
  let stop = false;
  const slice = (): void => {
    const end = performance.now() + sliceMs;
    while (performance.now() < end);
    if (!stop) setImmediate(slice);
  };
  slice();
  return () => {
    stop = true;
  };
}

async function code(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'ok',
    (error: ServeError) => error.code,
  );
}

function count(serve: Serve, reason: string): Promise<number> {
  return serve.metrics().then((text) => {
    const found = new RegExp(`serve_shed_total\\{[^}]*reason="${reason}"\\} (\\d+)`).exec(text);
    return Number(found?.[1] ?? 0);
  });
}

describe('host guard', () => {
  test('a host that lags sheds sheddable calls, and says so once; then it recovers', async () => {
    // Far above what a busy machine does to a test, far below what the test does.
    const hostGuard = { enabled: true, shedSheddableMs: 250, shedAllMs: 100_000 };
    await using serve = quietServe({ hostGuard });
    const shared = new Shared();
    const handle = await serve.run(worker.bind(shared.buffer));
    const sheddable = handle.options({ priority: 'sheddable' });
    const running = sheddable.hold.remote(1);
    await shared.atLeast(WORK.started, 1);
    const overloads: string[] = [];
    serve.on('fault', ({ reason }) => overloads.push(reason));
    const overload = event(serve, 'fault', ({ reason }) => reason === 'host overload');
    const recovered = event(serve, 'fault', ({ reason }) => reason === 'host recovered');
    const relax = busy(550);
    const { error } = await overload;
    expect(error).toMatchObject({ code: 'SERVE_BACKPRESSURE' });
    const refused = await sheddable.where.remote().catch((thrown: ServeError) => thrown);
    expect(refused).toMatchObject({ code: 'SERVE_BACKPRESSURE', statusCode: 503, retryable: true });
    expect((refused as ServeError).retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(await code(handle.where.remote())).toBe('ok');
    expect(await serve.metrics()).toContain('serve_host_shedding{level="sheddable"} 1');
    expect(await serve.metrics()).toContain('serve_host_shedding{level="everything"} 0');
    relax();
    // What was in goes on.
    shared.set(WORK.gate, 1);
    expect(await code(running)).toBe('ok');
    await recovered;
    expect(await code(sheddable.where.remote())).toBe('ok');
    expect(overloads).toEqual(['host overload', 'host recovered']);
    expect(serve.log.records.filter(({ message }) => message.includes('event loop lags'))).toHaveLength(1);
    expect(await count(serve, 'host_overload')).toBe(1);
  });
});

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
