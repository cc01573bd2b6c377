import { describe, expect, test } from 'vitest';
import {
  began,
  COMPUTING,
  callsFirst,
  computing,
  computingBatches,
  computingCaller,
} from '../../fixtures/load/computing.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { eventually, status } from '../../support/until.ts';

/** What a promise is, now. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  return await Promise.race([
    promise.then(() => false),
    new Promise((resolve) => setImmediate(resolve, true)),
  ]).then((open) => open === true);
}

describe('a replica whose methods hold its loop', () => {
  test.each(['hold', 'holdAsync', 'holdLater'] as const)(
    '%s: each result arrives while the next call holds the loop',
    async (method) => {
      await using serve = quietServe();
      const shared = new Shared();
      const handle = await serve.run(computing.bind(shared.buffer));
      const calls = [1, 2, 3, 4].map((gate) => handle[method].remote(gate));
      for (const [index, call] of calls.entries()) {
        await shared.atLeast(COMPUTING.begun, index + 1);
        expect(await isOpen(call)).toBe(true);
        shared.set(COMPUTING.gate, index + 1);
        expect(await call).toBe(index + 1);
      }
    },
  );

  test('the same where each call reads a file before it computes, in whatever order the files come', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const answers: number[] = [];
    const calls = [1, 2, 3, 4].map(() =>
      handle.holdAfterReading.remote().then((begun) => answers.push(begun)),
    );
    for (const gate of [1, 2, 3, 4]) {
      await shared.atLeast(COMPUTING.begun, gate);
      shared.set(COMPUTING.gate, gate);
      await eventually(() => answers.length === gate);
    }
    await Promise.all(calls);
    expect(answers).toEqual([1, 2, 3, 4]);
  });

  test('the same with maxOngoingRequests 1, where a place is free only when the answer has left', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.options({ maxOngoingRequests: 1 }).bind(shared.buffer));
    const calls = [1, 2, 3, 4].map((gate) => handle.hold.remote(gate));
    for (const [index, call] of calls.entries()) {
      shared.set(COMPUTING.gate, index + 1);
      expect(await call).toBe(index + 1);
    }
  });

  test('the same over HTTP, with a body to read before', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const middleware = serve.middleware(computing.bind(shared.buffer));
    await using server = await listen(middleware);
    const requests = [1, 2, 3].map((gate) =>
      fetch(`http://127.0.0.1:${server.port}/?gate=${gate}`, { method: 'POST', body: '{}' }).then(
        (response) => response.json(),
      ),
    );
    await shared.atLeast(COMPUTING.begun, 1);
    for (const gate of [1, 2, 3]) {
      shared.set(COMPUTING.gate, gate);
      await Promise.race(requests.splice(0, 1));
    }
  });

  test('a quick call ahead of a long one is answered at once', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const quick = handle.compute.remote(1);
    const long = handle.hold.remote(1);
    expect(await quick).toBe(1);
    await shared.atLeast(COMPUTING.begun, 2);
    shared.set(COMPUTING.gate, 1);
    expect(await long).toBe(2);
  });

  test('the most important call is the next, however many others wait', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const sheddable = handle.options({ priority: 'sheddable' });
    const held = sheddable.hold.remote(1, 1);
    await shared.atLeast(COMPUTING.begun, 1);
    const waiting = Array.from({ length: 20 }, () => sheddable.compute.remote(5, 2));
    const important = handle.options({ priority: 'critical-plus' }).compute.remote(1, 3);
    shared.set(COMPUTING.gate, 1);
    await Promise.all([held, ...waiting, important]);
    expect(began(shared).indexOf(3)).toBe(1);
  });

  test('of calls that are as important, the one whose deadline is next comes first', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    // By now it is known that calls compute: none waits at the replica.
    await handle.compute.remote(20);
    const held = handle.hold.remote(1, 1);
    await shared.atLeast(COMPUTING.begun, 2);
    const waiting = [9_000, 5_000, 7_000].map((timeoutMs) =>
      handle.options({ timeoutMs }).compute.remote(1, timeoutMs),
    );
    shared.set(COMPUTING.gate, 1);
    await Promise.all([held, ...waiting]);
    expect(began(shared)).toEqual([0, 1, 5_000, 7_000, 9_000]);
  });

  test('two replicas share what waits: none has a line of its own', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.options({ numReplicas: 2 }).bind(shared.buffer));
    const stuck = handle.hold.remote(1, 1);
    await shared.atLeast(COMPUTING.begun, 1);
    // All of these are over while the first one still holds its replica.
    await Promise.all(Array.from({ length: 12 }, () => handle.compute.remote(2, 2)));
    expect(await isOpen(stuck)).toBe(true);
    shared.set(COMPUTING.gate, 1);
    expect(await stuck).toBe(1);
  });

  test('calls that are cancelled before they begin never run', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const first = handle.hold.remote(1, 1);
    await shared.atLeast(COMPUTING.begun, 1);
    const calls = Array.from({ length: 29 }, () => handle.compute.remote(1, 2));
    const cancelled = calls.splice(4);
    for (const call of cancelled) call.cancel();
    for (const call of cancelled) await expect(call).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    shared.set(COMPUTING.gate, 1);
    await Promise.all([first, ...calls]);
    expect(shared.get(COMPUTING.begun)).toBe(5);
  });

  test('a call whose deadline passes before it begins ends alone, and its replica goes on', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const first = handle.hold.remote(1, 1);
    await shared.atLeast(COMPUTING.begun, 1);
    const late = [1, 2, 3].map(() => handle.options({ timeoutMs: 50 }).compute.remote(1, 2));
    for (const call of late) await expect(call).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    const after = handle.compute.remote(1, 3);
    shared.set(COMPUTING.gate, 1);
    expect(await Promise.all([first, after])).toEqual([1, 2]);
    expect(serve.status().apps['Computing']?.deployments['Computing']?.restarts).toBe(0);
  });

  test('more calls may wait for the loop than for a place: only places and the queue count', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const options = { maxOngoingRequests: 4, maxQueuedRequests: 2 };
    const handle = await serve.run(computing.options(options).bind(shared.buffer));
    const calls = Array.from({ length: 8 }, () => handle.hold.remote(1).then(String, (error) => error.code));
    await shared.atLeast(COMPUTING.begun, 1);
    shared.set(COMPUTING.gate, 1);
    const outcomes = await Promise.all(calls);
    expect(outcomes.filter((outcome) => outcome === 'SERVE_BACKPRESSURE')).toHaveLength(2);
  });

  test('a child call made before the caller computes leaves at once, and so does a second one', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const child = computing.options({ numReplicas: 2 }).bind(shared.buffer);
    const handle = await serve.run(callsFirst.bind(child, shared.buffer));
    await status(serve, 'CallsFirst', 'Computing', 'HEALTHY');
    expect(await handle.remote(2)).toBe(2);
  });

  test('three threads that call it share it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const child = computing.bind(shared.buffer);
    const callers = await serve.run(computingCaller.bind(child));
    const own = serve.handle(child);
    const mine = Array.from({ length: 20 }, () => own.compute.remote(2));
    expect(await Promise.all([callers.remote(20, 2), callers.remote(20, 2)])).toEqual([20, 20]);
    await Promise.all(mine);
    expect(shared.get(COMPUTING.ended)).toBe(60);
  });

  test('methods that wait beside it are limited by the limit alone', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    await handle.wait.remote(0);
    const waiting = Array.from({ length: 16 }, () => handle.wait.remote(1));
    // All sixteen have begun before the first is over.
    await shared.atLeast(COMPUTING.begun, 17);
    expect(await Promise.all(waiting.map(isOpen))).not.toContain(false);
    shared.set(COMPUTING.gate, 1);
    await Promise.all(waiting);
    await handle.compute.remote(30);
  });

  test('says so: in status(), and in explain() of a call', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    for (let call = 0; call < 3; call++) await handle.compute.remote(20);
    const last = handle.compute.remote(20);
    await last;
    const { ranMs, scheduling } = last.explain();
    expect(ranMs).toBeGreaterThan(5);
    expect(scheduling).toMatch(
      /^Computing holds its loop \d+ % of the time, [\d.]+ ms per call; 1 call at a time$/,
    );
    await eventually(() => {
      const report = serve.status().apps['Computing']?.deployments['Computing'];
      return report?.scheduling?.startsWith('Computing holds its loop') === true;
    });
  });
});

describe('streams of a replica that computes', () => {
  test('each value arrives while the next one is computed', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const stream = handle.values.remote(4)[Symbol.asyncIterator]();
    for (let value = 0; value < 4; value++) {
      expect(await stream.next()).toEqual({ done: false, value });
      shared.set(COMPUTING.gate, value + 1);
    }
    expect((await stream.next()).done).toBe(true);
  });

  test('over HTTP too: the head at once, then value by value', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    await using server = await listen(serve.middleware(computing.bind(shared.buffer)));
    const response = await fetch(`http://127.0.0.1:${server.port}/?gate=3`, {
      headers: { accept: 'text/event-stream' },
    });
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let value = 0; value < 3; value++) {
      const { value: chunk } = await reader.read();
      expect(Buffer.from(chunk as Uint8Array).toString()).toContain(String(value));
      shared.set(COMPUTING.gate, value + 1);
    }
    expect((await reader.read()).done).toBe(true);
  });

  test('one of several endless ones can be cancelled while the others go on, and other calls get through', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const streams = await Promise.all([1, 2, 3, 4].map(() => handle.endless.remote(2)));
    const [cancelled, ...others] = streams.map((stream) => stream[Symbol.asyncIterator]());
    for (const stream of [cancelled, ...others]) expect((await stream?.next())?.done).toBe(false);
    await cancelled?.return?.();
    await shared.atLeast(COMPUTING.cancelled, 1);
    for (const stream of others) expect((await stream.next()).done).toBe(false);
    await handle.compute.remote(1);
    for (const stream of others) await stream.return?.();
    await shared.atLeast(COMPUTING.cancelled, 4);
  });

  test('a loop that awaits context().yield() hears of its cancellation', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(computing.bind(shared.buffer));
    const call = handle.untilCancelled.remote();
    await shared.atLeast(COMPUTING.begun, 1);
    await handle.compute.remote(1);
    call.cancel();
    await expect(call).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    await shared.atLeast(COMPUTING.cancelled, 1);
  });
});

test('the next batch fills up while one holds the loop, and each leaves as it ends', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(computingBatches.bind(shared.buffer));
  const first = Array.from({ length: 4 }, () => handle.remote(1));
  await shared.atLeast(COMPUTING.begun, 1);
  const second = Array.from({ length: 4 }, () => handle.remote(2));
  shared.set(COMPUTING.gate, 1);
  expect(await Promise.all(first)).toEqual(new Array(4).fill([1, 4]));
  await shared.atLeast(COMPUTING.begun, 2);
  shared.set(COMPUTING.gate, 2);
  expect(await Promise.all(second)).toEqual(new Array(4).fill([2, 4]));
});
