import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { threadId } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import type { ServeError } from '../../../src/index.ts';
import { inline, inlineIngress, inThread } from '../../fixtures/calls/inline.ts';
import { slow } from '../../fixtures/faulty/faults.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';

describe('an inline deployment', () => {
  test('runs on the caller’s thread, and passes values by reference', async () => {
    await using serve = quietServe();
    const handle = await serve.run(inline.bind(new Shared().buffer));
    expect((await handle.remote()).threadId).toBe(threadId);
    const value = { any: () => 'thing' };
    expect(await handle.same.remote(value as never)).toBe(value);
    expect(await Array.fromAsync(handle.count.remote(3))).toEqual([0, 1, 2]);
    await expect(handle.fail.remote()).rejects.toThrow(new RangeError('inline failure'));
    const untyped = handle as unknown as Record<string, { remote(): Promise<unknown> }>;
    await expect(untyped['nope']?.remote()).rejects.toMatchObject({ code: 'SERVE_UNKNOWN_METHOD' });
  });

  test('has a replica in each thread that calls it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(inThread.bind(inline.bind(shared.buffer)));
    const { own, childs } = await handle.remote();
    expect(childs).toBe(own);
    expect(childs).not.toBe(threadId);
    expect(shared.get(0)).toBe(2);
    const call = handle.ids.remote();
    expect(await call).toEqual([call.requestId, call.requestId]);
  });

  test('that does not start in time is given up, and the next one under the name starts', async () => {
    await using serve = quietServe();
    const hanging = slow.options({ name: 'Inline', isolation: 'inline', startTimeoutMs: 50 }).bind();
    await expect(serve.run(hanging)).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining('did not start within 50 ms'),
    });
    const handle = await serve.run(inline.bind(new Shared().buffer), { name: 'Inline' });
    expect((await handle.remote()).threadId).toBe(threadId);
  });

  test('keeps limits, queue and cancellation', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { maxOngoingRequests: 1, maxQueuedRequests: 1 };
    const handle = await serve.run(inline.options(options).bind(shared.buffer));
    const first = handle.gate.remote();
    const second = handle.gate.remote();
    const refused = await handle.gate.remote().catch((error: ServeError) => error.code);
    expect(refused).toBe('SERVE_BACKPRESSURE');
    expect(shared.get(1)).toBe(1);
    shared.set(2, 1);
    expect(await Promise.all([first, second])).toEqual(['through', 'through']);
    const many = Array.from({ length: 2 }, () => handle.same.remote(1));
    expect(await Promise.all(many)).toEqual([1, 1]);
  });

  test('many waiting calls that end at once do not pile up on the stack', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(
      inline.options({ maxOngoingRequests: 1, maxQueuedRequests: -1 }).bind(shared.buffer),
    );
    const first = handle.gate.remote();
    const waiting = Array.from({ length: 20_000 }, (_, n) => handle.same.remote(n));
    shared.set(2, 1);
    await first;
    expect((await Promise.all(waiting)).at(-1)).toBe(19_999);
  });

  test('is upgraded and configured in place, and disposed of', async () => {
    const shared = new Shared();
    {
      await using serve = quietServe();
      const handle = await serve.run(inline.options({ userConfig: 1 }).bind(shared.buffer));
      expect((await handle.remote()).config).toBe(1);
      await serve.run(inline.options({ userConfig: 2 }).bind(shared.buffer));
      expect((await handle.remote()).config).toBe(2);
      expect(serve.status().apps['Inline']).toMatchObject({ status: 'RUNNING' });
    }
    expect(shared.get(3)).toBe(2);
  });

  test('is an ingress on the host’s thread', async () => {
    await using serve = quietServe();
    const middleware = serve.middleware(inlineIngress.bind());
    await middleware.ready();
    const server = createServer(middleware).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const nativeRequest = globalThis.Request;
    const response = await fetch(`http://127.0.0.1:${port}/a/b`, { method: 'POST', body: 'text' });
    expect(await response.json()).toEqual({ threadId, path: '/a/b', body: 'text' });
    expect(globalThis.Request).toBe(nativeRequest);
    server.close();
    server.closeAllConnections();
  });
});
