import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import { LateThread } from '../../../test/support/routing/late-thread.ts';
import { ServeError } from '../../errors.ts';

const GONE = new ServeError('SERVE_NOT_FOUND', 'it is gone');

/** Answers what a replica got with its arguments. */
function answer(replica: FakeReplica): void {
  for (const call of [...replica.open]) replica.answer(call, () => call.succeeded(call.args[0]));
}

/** Lets promises that are due go on. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

let thread: LateThread;

beforeEach(() => {
  thread = new LateThread();
});

afterEach(() => thread.router.close(GONE));

describe('a broadcast of a thread that does not know the replicas yet', () => {
  test('waits for all of them, and calls them with the arguments that it was made with', async () => {
    const value = { of: 'before' };
    const called = thread.handle.broadcast('call', value);
    value.of = 'after';
    thread.announced();
    const replicas = [thread.up('r0')];
    await turn();
    expect(replicas[0]?.open).toEqual([]);
    replicas.push(thread.up('r1'), thread.up('r2'));
    thread.listed();
    await turn();
    expect(replicas.map(({ open }) => open.length)).toEqual([1, 1, 1]);
    for (const replica of replicas) answer(replica);
    expect(await called).toEqual(Array.from({ length: 3 }, () => ({ of: 'before' })));
  });

  test('calls each of them with large memory of its own, as it was when the broadcast was made', async () => {
    const bytes = new Uint8Array(100_000).fill(7);
    thread.handle.broadcast('call', [bytes]).catch(() => {});
    bytes.fill(0);
    thread.announced();
    const replicas = ['r0', 'r1', 'r2'].map((name) => thread.up(name));
    thread.listed();
    await turn();
    const moved = replicas.flatMap(({ open }) => open.flatMap(({ transfer }) => transfer));
    expect(new Set(moved).size).toBe(3);
    const received = replicas.flatMap(({ open }) => open.flatMap(({ args }) => args[0] as Uint8Array[]));
    expect(received.every(({ buffer }, at) => buffer === moved[at])).toBe(true);
    expect(received.every((own) => own.length === 100_000 && own.every((byte) => byte === 7))).toBe(true);
    for (const replica of replicas) answer(replica);
  });

  test.each([1, 3])('copies its large memory once, and for each of %i replicas but one', async (replicas) => {
    const clone = vi.spyOn(globalThis, 'structuredClone');
    const copy = vi.spyOn(Buffer, 'allocUnsafeSlow');
    try {
      thread.handle.broadcast('call', new Uint8Array(100_000)).catch(() => {});
      thread.announced();
      const called = Array.from({ length: replicas }, (_, at) => thread.up(`r${at}`));
      thread.listed();
      await turn();
      expect(called.map(({ open }) => open.length)).toEqual(called.map(() => 1));
      expect(copy).toHaveBeenCalledTimes(1);
      expect(clone).toHaveBeenCalledTimes(replicas - 1);
      for (const replica of called) answer(replica);
    } finally {
      vi.restoreAllMocks();
    }
  });

  test('is made at once where they are known', async () => {
    thread.handle.broadcast('call', 0).catch(() => {});
    thread.announced();
    const replica = thread.up('r0');
    thread.listed();
    await turn();
    answer(replica);
    const called = thread.handle.broadcast('call', 1);
    expect(replica.open).toHaveLength(1);
    answer(replica);
    expect(await called).toEqual([1]);
  });

  test('ends at its deadline, and when it is cancelled', async () => {
    const late = thread.handle.options({ timeoutMs: 20 }).broadcast('call', 1);
    await expect(late).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    const controller = new AbortController();
    const cancelled = thread.handle.options({ signal: controller.signal }).broadcast('call', 1).settled();
    controller.abort();
    expect(await cancelled).toMatchObject([{ status: 'rejected', reason: { code: 'SERVE_CANCELLED' } }]);
    thread.announced();
    const replica = thread.up('r0');
    thread.listed();
    await turn();
    expect(replica.open).toEqual([]);
  });

  test('fails if there is no replica, or no deployment', async () => {
    const none = thread.handle.broadcast('call', 1);
    thread.announced();
    thread.listed();
    await expect(none).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    thread.gone(GONE);
    const unknown = thread.handle.broadcast('call', 1);
    thread.gone(GONE);
    await expect(unknown).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
    thread.router.close(GONE);
    await expect(thread.handle.broadcast('call', 1)).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
  });
});
