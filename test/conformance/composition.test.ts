import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve } from '../../src/index.ts';
import { basic } from '../fixtures/calls/basic.ts';
import {
  adder,
  type Chain,
  chain,
  multiplier,
  type Parent,
  parent,
  SEEN,
  waiter,
} from '../fixtures/graphs/composition.ts';
import { CELL, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { eventually, status } from '../support/until.ts';

async function runChain(serve: Serve, shared: Shared): Promise<DeploymentHandle<typeof Chain>> {
  return await serve.run(chain.bind(adder.bind(2), multiplier.bind(3, shared.buffer)));
}

/** A child that runs one call at a time, so that a second one queues. */
async function runParent(serve: Serve, shared: Shared): Promise<DeploymentHandle<typeof Parent>> {
  return await serve.run(parent.bind(waiter.options({ maxOngoingRequests: 2 }).bind(shared.buffer)));
}

/** Ray Serve's behaviours 27–32 and 56, with our codes. */
describe('composition', () => {
  test('27: a response passed un-awaited is the same as an awaited one', async () => {
    await using serve = quietServe();
    const handle = await runChain(serve, new Shared());
    expect(await handle.chained.remote(5)).toBe(21);
    expect(await handle.awaited.remote(5)).toBe(21);
    expect(await handle.fanned.remote(5)).toEqual([7, 7, 21, 21]);
  });

  test('27: on the host as well', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    await runChain(serve, shared);
    const add = serve.handle<typeof import('../fixtures/graphs/composition.ts').Adder>('Adder', {
      app: 'Chain',
    });
    const multiply = serve.handle<typeof import('../fixtures/graphs/composition.ts').Multiplier>(
      'Multiplier',
      {
        app: 'Chain',
      },
    );
    expect(await multiply.multiply.remote(add.add.remote(1))).toBe(9);
  });

  test("28: when the upstream fails the downstream is never called, and its caller gets the upstream's error", async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await runChain(serve, shared);
    const error = await handle.broken.remote().catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'the adder broke', code: 'E_ADD' });
    expect(shared.get(SEEN.multiplied)).toBe(0);
  });

  test('29: an unknown method names those there are', async () => {
    await using serve = quietServe();
    const handle = await runChain(serve, new Shared());
    const untyped = handle as unknown as { nope: { remote(): Promise<unknown> } };
    await expect(untyped.nope.remote()).rejects.toMatchObject({
      code: 'SERVE_UNKNOWN_METHOD',
      message: expect.stringContaining('awaited, broken, chained, fanned, ids'),
    });
    expect(await handle.chained.remote(1)).toBe(9);
  });

  test('29: names that JavaScript looks for stay inert', async () => {
    await using serve = quietServe();
    const handle = (await runChain(serve, new Shared())) as unknown as Record<string | symbol, unknown>;
    expect(await Promise.resolve(handle)).toBe(handle);
    for (const name of ['then', 'toJSON', 'constructor', 'valueOf', Symbol.iterator])
      expect(handle[name]).toBeUndefined();
    expect(Object.keys(handle)).toEqual([]);
    expect(String(handle)).toBe('DeploymentHandle(Chain/Chain)');
    expect(() => Object.assign(handle, { x: 1 })).toThrow(TypeError);
  });

  test('30: a deadline of one caller leaves other waits for the same work alone', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(lifecycle.bind({ shared: shared.buffer, label: 'done' }));
    await expect(handle.options({ timeoutMs: 30 }).hold.remote()).rejects.toMatchObject({
      code: 'SERVE_TIMEOUT',
      statusCode: 504,
    });
    const patient = handle.hold.remote();
    shared.set(CELL.gate, 1);
    expect(await patient).toBe('done');
  });

  test('31: iterating a unary call, and awaiting a stream', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.bind());
    const unary = handle.echo.remote(1) as unknown as AsyncIterable<unknown>;
    await expect(unary[Symbol.asyncIterator]().next()).rejects.toThrow(
      new TypeError('Basic.echo did not return a generator: await it instead'),
    );
    // Awaiting gives the stream itself, so that an async method may return it.
    const stream = await handle.count.remote(3);
    expect(await Array.fromAsync(stream)).toEqual([0, 1, 2]);
    expect(await Array.fromAsync(handle.count.remote(2))).toEqual([0, 1]);
    expect(await Array.fromAsync(handle.count.remote(0))).toEqual([]);
  });

  test('31: a stream that fails gives the items before the error', async () => {
    await using serve = quietServe();
    const handle = await runParent(serve, new Shared());
    for (const method of ['numbers', 'numbersLater'] as const) {
      const seen: number[] = [];
      const read = async (): Promise<void> => {
        for await (const item of handle[method].remote(13)) seen.push(item);
      };
      await expect(read()).rejects.toThrow(new RangeError('unlucky'));
      expect(seen).toEqual([0, 1, 2]);
      expect(await Array.fromAsync(handle[method].remote(2))).toEqual([0, 1]);
    }
  });

  test('32: a broadcast reaches every running replica, and tells each outcome', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basic.options({ numReplicas: 3, maxOngoingRequests: 1 }).bind());
    await status(serve, 'Basic', 'Basic', 'HEALTHY');
    const where = await handle.broadcast('where');
    expect(new Set(where.map(({ replicaId }) => replicaId)).size).toBe(3);
    const failing = handle.broadcast('fail', 'all of them');
    expect(await failing.settled()).toHaveLength(3);
    await expect(failing).rejects.toThrow(new TypeError('all of them'));
  });

  test('56: cancelling a parent cancels its children, running and queued, and nobody else', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await runParent(serve, shared);
    const child = serve.handle<typeof import('../fixtures/graphs/composition.ts').Waiter>('Waiter', {
      app: 'Parent',
    });
    const sibling = child.sibling.remote();
    const call = handle.wait.remote(3);
    await shared.atLeast(SEEN.started, 1);
    await eventually(() => serve.status().apps['Parent']?.deployments['Waiter']?.queued === 2);
    call.cancel('enough');
    await expect(call).rejects.toMatchObject({ code: 'SERVE_CANCELLED', cause: 'enough', retryable: false });
    await shared.atLeast(SEEN.aborted, 1);
    await eventually(() => serve.status().apps['Parent']?.deployments['Waiter']?.queued === 0);
    shared.set(SEEN.gate, 1);
    expect(await sibling).toBe('untouched');
    await eventually(() => serve.status().apps['Parent']?.deployments['Waiter']?.replicas[0]?.ongoing === 0);
    expect(shared.get(SEEN.started)).toBe(1);
  });

  test('request id and deadline go with a call to its children', async () => {
    await using serve = quietServe();
    const handle = await runParent(serve, new Shared());
    const call = handle.requestIds.remote();
    expect(await call).toEqual([call.requestId, call.requestId]);
    const [own, childs] = await handle.options({ timeoutMs: 5_000 }).deadlines.remote();
    expect(own).toBeDefined();
    expect(Math.abs((own ?? 0) - (childs ?? 0))).toBeLessThan(50);
    expect((own ?? 0) - Date.now()).toBeLessThanOrEqual(5_001);
  });
});
