import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve, ServeError } from '../../../src/index.ts';
import { victim } from '../../fixtures/faulty/victim.ts';
import { front, WORK, type Worker, worker } from '../../fixtures/load/overload.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually, status } from '../../support/until.ts';

type Handle = DeploymentHandle<typeof Worker>;

async function start(serve: Serve, options: object): Promise<{ handle: Handle; shared: Shared }> {
  const shared = new Shared();
  const handle = await serve.run(worker.options(options).bind(shared.buffer));
  await status(serve, 'Worker', 'Worker', 'HEALTHY');
  return { handle, shared };
}

describe('retries', () => {
  test('an idempotent call survives the death of its replica; explain() tells the attempts', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve, { numReplicas: 2, idempotent: ['dieFirst'] });
    const call = handle.dieFirst.remote(1);
    expect(await call).toMatch(/^Worker#/);
    expect(call.explain()).toMatchObject({ attempts: 2, state: 'ok' });
    expect(shared.get(WORK.started)).toBe(2);
    expect(await serve.metrics()).toContain('serve_retries_total{app="Worker",deployment="Worker"} 1');
  });

  test('one that is not is never run twice, and says that it must not be', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve, { numReplicas: 2, idempotent: ['where'] });
    const error = await handle.dieFirst.remote(1).catch((thrown: ServeError) => thrown);
    expect(error).toMatchObject({ code: 'SERVE_REPLICA_DIED', retryable: false });
    expect(shared.get(WORK.started)).toBe(1);
  });

  test('only the layer next to the dead replica retries: the error of an exhausted child is final for its parent', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const child = worker.options({ numReplicas: 3, idempotent: true }).bind(shared.buffer);
    const parent = await serve.run(front.options({ idempotent: true }).bind(child));
    const call = parent.killChild.remote();
    await expect(call).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    // Three attempts at the child, one at the parent: not nine.
    expect(shared.get(WORK.started)).toBe(3);
    expect(call.explain().attempts).toBe(1);
  });
});

/** More than the callers make while three replicas die, on any machine. */
const MOST_CALLS = 4_000_000;

describe('retries under load', () => {
  test('replicas die again and again, and no idempotent call fails or ends twice', async () => {
    await using serve = quietServe();
    const options = { numReplicas: 3, idempotent: ['work'], restart: { maxCrashes: 1_000, maxDelayMs: 0 } };
    const executed = new SharedArrayBuffer(4 * MOST_CALLS);
    const threads = new SharedArrayBuffer(4 * MOST_CALLS);
    const handle = await serve.run(victim.options(options).bind(executed, threads));
    await status(serve, 'Victim', 'Victim', 'HEALTHY');
    const outcomes = new Map<number, unknown>();
    let [accepted, stop] = [0, false];
    const caller = async (): Promise<void> => {
      while (!stop) {
        const call = accepted++;
        const outcome = await handle.work
          .remote(call)
          .catch((error: ServeError) => error.code ?? error.message);
        expect(outcomes.has(call)).toBe(false);
        outcomes.set(call, outcome);
        // A caller that fails at once leaves the event loop its turns.
        if (outcome !== call) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const callers = Array.from({ length: 16 }, caller);
    for (let death = 0; death < 3; death++) {
      const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
      await expect(handle.exit.remote()).rejects.toMatchObject({
        code: 'SERVE_REPLICA_DIED',
        retryable: false,
      });
      await replaced;
    }
    stop = true;
    await Promise.all(callers);
    expect(accepted).toBeLessThan(MOST_CALLS);
    expect(outcomes.size).toBe(accepted);
    const counts = new Int32Array(executed);
    for (const [call, outcome] of outcomes) {
      expect(outcome).toBe(call);
      expect(Atomics.load(counts, call)).toBeLessThanOrEqual(3);
    }
  });
});

describe('hedging', () => {
  test('a slow call is answered by another replica, and its first run is cancelled', async () => {
    await using serve = quietServe();
    const hedge = { afterMs: 150, maxExtraRatio: 1 };
    const { handle, shared } = await start(serve, { numReplicas: 2, idempotent: true, hedge });
    const from = performance.now();
    const call = handle.slowFirst.remote();
    const replica = await call;
    const tookMs = performance.now() - from;
    expect(call.explain()).toMatchObject({ hedged: true, attempts: 1, replica });
    // The time until the hedge is no time in the queue; a timer may fire a millisecond early.
    expect(tookMs - call.explain().queuedMs).toBeGreaterThanOrEqual(149);
    await shared.atLeast(WORK.aborted, 1);
    expect(shared.get(WORK.started)).toBe(2);
    await eventually(
      () =>
        serve
          .status()
          .apps['Worker']?.deployments['Worker']?.replicas.every(({ ongoing }) => ongoing === 0) ?? false,
    );
    expect((await handle.where.remote()).replica).toMatch(/^Worker#/);
    expect(await serve.metrics()).toMatch(/serve_hedges_won_total\{[^}]*\} 1\n/);
  });

  test("'p95': nobody is asked twice before it is known how long calls take, then once one takes longer", async () => {
    await using serve = quietServe();
    const hedge = { afterMs: 'p95', maxExtraRatio: 1 } as const;
    const { handle, shared } = await start(serve, { numReplicas: 2, idempotent: true, hedge });
    const unknown = handle.options({ timeoutMs: 100 }).slowAt.remote(1);
    await expect(unknown).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    expect(unknown.explain().hedged).toBe(false);
    // Short calls are looked at one in sixteen, as sixteen.
    for (let n = 0; n < 40; n++) await handle.slowAt.remote(1);
    const next = shared.get(WORK.started) + 1;
    const call = handle.slowAt.remote(next);
    expect(await call).toMatch(/^Worker#/);
    expect(call.explain()).toMatchObject({ hedged: true, attempts: 1 });
    await shared.atLeast(WORK.aborted, 2);
  });

  test('methods that are not idempotent are never hedged', async () => {
    await using serve = quietServe();
    const hedge = { afterMs: 10, maxExtraRatio: 1 };
    const { handle, shared } = await start(serve, { numReplicas: 2, idempotent: ['where'], hedge });
    const call = handle.pause.remote(100);
    await call;
    expect(call.explain().hedged).toBe(false);
    expect(shared.get(WORK.started)).toBe(0);
  });
});

describe('sessions and tenants over HTTP', () => {
  test('41: a session stays on its replica, at the ingress and below it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const app = front
      .options({ numReplicas: 3 })
      .bind(worker.options({ numReplicas: 3 }).bind(shared.buffer));
    const call = (req: { headers: NodeJS.Dict<string | string[]> }) => ({
      sessionId: String(req.headers['x-user']),
      tenant: 'shop',
    });
    const middleware = serve.middleware(app, { call });
    await middleware.ready();
    await Promise.all([
      status(serve, 'Front', 'Front', 'HEALTHY'),
      status(serve, 'Front', 'Worker', 'HEALTHY'),
    ]);
    await using server = await listen(middleware);
    const ask = async (user: string) => {
      const answer = await fetch(`http://127.0.0.1:${server.port}/`, { headers: { 'x-user': user } });
      return (await answer.json()) as { front: string; worker: string; tenant: string };
    };
    const places = new Set<string>();
    for (const user of ['ann', 'ben', 'cem', 'dan', 'eve', 'fay', 'gus', 'hal']) {
      const answers = await Promise.all(Array.from({ length: 5 }, () => ask(user)));
      expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
      expect(answers[0]?.tenant).toBe('shop');
      places.add(answers[0]?.front ?? '');
    }
    expect(places.size).toBeGreaterThan(1);
  });

  test("a tenant's quota is counted where calls enter, and answered with Retry-After", async () => {
    await using serve = quietServe({
      tenants: { default: { maxInFlight: 1 }, byName: { big: { maxInFlight: 3 } } },
    });
    const { handle, shared } = await start(serve, {});
    const [small, big] = [handle.options({ tenant: 'small' }), handle.options({ tenant: 'big' })];
    const running = [small.hold.remote(1), big.hold.remote(2), big.hold.remote(3)];
    await expect(small.hold.remote(4)).rejects.toMatchObject({
      code: 'SERVE_BACKPRESSURE',
      message: expect.stringContaining("tenant 'small'"),
      retryable: true,
    });
    running.push(big.hold.remote(5), handle.hold.remote(6));
    shared.set(WORK.gate, 1);
    expect((await Promise.all(running)).map(({ value }) => value)).toEqual([1, 2, 3, 5, 6]);
    expect((await small.hold.remote(7)).value).toBe(7);
  });
});
