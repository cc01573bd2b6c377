import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve, ServeError } from '../../../src/index.ts';
import { front, WORK, type Worker, worker } from '../../fixtures/load/overload.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { eventually, status } from '../../support/until.ts';

type Handle = DeploymentHandle<typeof Worker>;

async function start(serve: Serve, options: object = {}): Promise<{ handle: Handle; shared: Shared }> {
  const shared = new Shared();
  return { handle: await serve.run(worker.options(options).bind(shared.buffer)), shared };
}

async function outcome(call: Promise<unknown>): Promise<string> {
  return await call.then(
    () => 'ok',
    (error: ServeError) => error.code ?? String(error),
  );
}

describe('idempotency keys', () => {
  test('calls with one key share one execution, and each gets a result of his own', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve);
    const keyed = handle.options({ idempotencyKey: 'order-1' });
    const calls = Array.from({ length: 5 }, () => keyed.hold.remote({ items: [1, 2] }));
    const other = handle.options({ idempotencyKey: 'order-2' }).hold.remote({ items: [1, 2] });
    const otherTenant = keyed.options({ tenant: 't' }).hold.remote({ items: [1, 2] });
    await shared.atLeast(WORK.started, 3);
    shared.set(WORK.gate, 1);
    const results = await Promise.all(calls);
    expect(new Set(results.map(({ run }) => run)).size).toBe(1);
    expect((await other).run).not.toBe(results[0]?.run);
    expect((await otherTenant).run).not.toBe(results[0]?.run);
    (results[0] as unknown as { value: { items: number[] } }).value.items.push(3);
    expect(results.slice(1).map(({ value }) => value)).toEqual(Array(4).fill({ items: [1, 2] }));
    // Replayed later, whatever became of the first result.
    const replayed = await keyed.hold.remote({ items: [1, 2] });
    expect(replayed).toMatchObject({ run: results[0]?.run, value: { items: [1, 2] } });
    expect(calls[3]?.explain()).toMatchObject({ state: 'ok', attempts: 1, replica: results[0]?.replica });
    expect(shared.get(WORK.started)).toBe(3);
    const metrics = await serve.metrics();
    expect(metrics).toContain('serve_coalesced_total{app="Worker",deployment="Worker"} 4');
    expect(metrics).toContain('serve_replayed_total{app="Worker",deployment="Worker"} 1');
    // Calls are counted, not executions.
    expect(metrics).toMatch(/serve_requests_total\{[^}]*method="hold",outcome="ok"\} 8\n/);
  });

  test('the same key with other arguments is refused, also after the first is over', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve);
    const keyed = handle.options({ idempotencyKey: 'k' });
    const first = keyed.hold.remote({ a: 1, b: 2 });
    const reused = { code: 'SERVE_INVALID_OPTION', statusCode: 422, retryable: false };
    await expect(keyed.hold.remote({ a: 1, b: 3 })).rejects.toMatchObject(reused);
    const sameInOtherOrder = keyed.hold.remote({ b: 2, a: 1 });
    shared.set(WORK.gate, 1);
    expect((await sameInOtherOrder).run).toBe((await first).run);
    await expect(keyed.hold.remote({ a: 2, b: 2 })).rejects.toMatchObject(reused);
  });

  test('security row 34: with equal keys nobody reads the result of another tenant, running or kept', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve);
    const keyed = handle.options({ idempotencyKey: 'k' });
    const tenants = [undefined, 'a', 'b', '["hold","a"]'].map((tenant) => keyed.options({ tenant }));
    const secrets = tenants.map((_, n) => `secret of ${n}`);
    const running = tenants.map((tenant, n) => tenant.hold.remote(secrets[n]));
    await shared.atLeast(WORK.started, 4);
    shared.set(WORK.gate, 1);
    // Nor do they learn from a refusal that somebody else has used the key, with other arguments.
    expect((await Promise.all(running)).map(({ value }) => value)).toEqual(secrets);
    const kept = await Promise.all(tenants.map((tenant, n) => tenant.hold.remote(secrets[n])));
    expect(kept.map(({ value }) => value)).toEqual(secrets);
    expect(shared.get(WORK.started)).toBe(4);
    // Nor does another method, or another deployment, give it away.
    const [a] = tenants as [typeof keyed];
    expect(await a.pause.remote(1)).toBe(1);
  });

  test('security row 34: the tenant of a request holds for the keys of the calls made in it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(WORK.gate, 1);
    const app = front.bind(worker.bind(shared.buffer));
    const call = ({ headers }: { headers: NodeJS.Dict<string | string[]> }) => ({
      tenant: String(headers['x-tenant']),
    });
    const middleware = serve.middleware(app, { call });
    await middleware.ready();
    await using server = await listen(middleware);
    const order = async (tenant: string): Promise<unknown> => {
      const headers = { 'x-tenant': tenant };
      return (await fetch(`http://127.0.0.1:${server.port}/?order=7`, { headers })).json();
    };
    const [first, other, again] = [await order('a'), await order('b'), await order('a')];
    expect(first).toMatchObject({ value: '7', run: 1 });
    expect(other).toMatchObject({ value: '7', run: 2 });
    expect(again).toEqual(first);
  });

  test('a key holds for the thread that makes the calls: each replica of a caller has its own', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(WORK.gate, 1);
    const handle = await serve.run(front.options({ numReplicas: 2 }).bind(worker.bind(shared.buffer)));
    await status(serve, 'Front', 'Front', 'HEALTHY');
    await Promise.all(await handle.broadcast('order', '7'));
    expect(shared.get(WORK.started)).toBe(2);
    // With the key as their session, calls that lead there meet in one of them.
    const session = handle.options({ sessionId: 'order 8' });
    await Promise.all(Array.from({ length: 8 }, () => session.order.remote('8')));
    expect(shared.get(WORK.started)).toBe(3);
  });

  test('a caller that leaves takes nobody along, the last one does', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve);
    const keyed = handle.options({ idempotencyKey: 'k' });
    const [first, second] = [keyed.hold.remote(1), keyed.hold.remote(1)];
    const hurried = keyed.options({ timeoutMs: 30 }).hold.remote(1);
    await shared.atLeast(WORK.started, 1);
    first.cancel();
    expect(await outcome(first)).toBe('SERVE_CANCELLED');
    expect(await outcome(hurried)).toBe('SERVE_TIMEOUT');
    expect(shared.get(WORK.aborted)).toBe(0);
    second.cancel();
    expect(await outcome(second)).toBe('SERVE_CANCELLED');
    await shared.atLeast(WORK.aborted, 1);
    // Nothing is kept of an execution that nobody waited for.
    shared.set(WORK.gate, 1);
    expect((await keyed.hold.remote(1)).run).toBe(2);
  });

  test('a failure is shared by those who wait, and not kept', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve);
    const keyed = handle.options({ idempotencyKey: 'k' });
    const failures = await Promise.allSettled([keyed.fail.remote(), keyed.fail.remote()]);
    expect(failures).toMatchObject(Array(2).fill({ reason: { name: 'RangeError', message: 'failure 1' } }));
    await expect(keyed.fail.remote()).rejects.toThrow('failure 2');
    expect(shared.get(WORK.started)).toBe(2);
  });

  test('a stream cannot be shared, and an un-awaited response may be an argument', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve);
    shared.set(WORK.gate, 1);
    const keyed = handle.options({ idempotencyKey: 'k' });
    const stream = keyed.stream.remote() as unknown as Promise<unknown>;
    await expect(stream).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    const [a, b] = await Promise.all([
      keyed.hold.remote(handle.pause.remote(5)),
      keyed.hold.remote(handle.pause.remote(5)),
    ]);
    expect(a).toEqual(b);
  });

  test('whatever keys, cancels and deadlines do, every call ends and nothing is left behind', async () => {
    await using serve = quietServe();
    const { handle, shared } = await start(serve, { numReplicas: 2 });
    shared.set(WORK.gate, 1);
    const plan = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c'),
        argument: fc.constantFrom(1, 1, 1, 2),
        kind: fc.constantFrom('plain', 'plain', 'cancel', 'timeout'),
      }),
      { minLength: 5, maxLength: 30 },
    );
    let round = 0;
    await fc.assert(
      fc.asyncProperty(plan, async (script) => {
        round++;
        const outcomes = script.map(({ key, argument, kind }) => {
          const timeoutMs = kind === 'timeout' ? 1 : undefined;
          const keyed = handle.options({ idempotencyKey: `${round}-${key}`, timeoutMs });
          const call = keyed.hold.remote(argument);
          if (kind === 'cancel') call.cancel();
          return outcome(call);
        });
        for (const code of await Promise.all(outcomes)) {
          expect(['ok', 'SERVE_CANCELLED', 'SERVE_TIMEOUT', 'SERVE_INVALID_OPTION']).toContain(code);
        }
      }),
      { numRuns: 25, seed: 11 },
    );
    await eventually(() => {
      const report = serve.status().apps['Worker']?.deployments['Worker'];
      return report?.queued === 0 && report.replicas.every(({ ongoing }) => ongoing === 0);
    });
  });
});
