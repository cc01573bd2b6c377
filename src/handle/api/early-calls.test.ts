import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LateThread } from '../../../test/support/routing/late-thread.ts';
import type { Call } from '../call/call.ts';
import { callOf, type DeploymentResponse } from './response.ts';

let thread: LateThread;

beforeEach(() => {
  thread = new LateThread();
});

afterEach(() => thread.router.close(new Error('the test is over')));

/** Time from the beginning of a call until its deadline, in ms; 0 = no deadline. */
function timeoutOf(response: Promise<unknown>): number {
  response.catch(() => {});
  const { createdAt, expiresAt } = callOf(response as DeploymentResponse<unknown>);
  return expiresAt === 0 ? 0 : Math.round(expiresAt - createdAt);
}

describe('a call that comes before the thread knows the options of the deployment', () => {
  test.each([
    [100, undefined, 100],
    [120_000, undefined, 120_000],
    [0, undefined, 0],
    [120_000, 60_000, 60_000],
    [100, 60_000, 100],
  ])('has the timeout of the deployment: %s, or its own: %s', (requestTimeoutMs, timeoutMs, expected) => {
    const handle = timeoutMs === undefined ? thread.handle : thread.handle.options({ timeoutMs });
    const response = handle.remote(1);
    thread.announced({ requestTimeoutMs });
    expect(timeoutOf(response)).toBe(expected);
    expect(timeoutOf(handle.remote(1))).toBe(expected);
  });

  test('ends at that deadline while it waits', async () => {
    const response = thread.handle.remote(1);
    thread.announced({ requestTimeoutMs: 20 });
    await expect(response).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
    const replica = thread.up('r0');
    expect(replica.open).toEqual([]);
  });

  test('has the priority of the deployment, in whose order it is sent', () => {
    const ordinary = thread.handle.remote(1);
    const important = thread.handle.options({ priority: 'critical' }).remote(2);
    const late = thread.handle.options({ timeoutMs: 10_000 }).remote(3);
    const calls = [ordinary, important, late].map((response) => {
      response.catch(() => {});
      return callOf(response as DeploymentResponse<unknown>);
    });
    thread.announced({ priorityRank: 2 });
    const replica = thread.up('r0', 1);
    const sent: unknown[] = [];
    while (replica.open.length > 0) {
      const [call] = replica.open;
      sent.push(call);
      replica.answer(call, () => call?.succeeded(undefined));
    }
    expect(sent).toEqual([calls[1], calls[2], calls[0]]);
  });

  test('with an idempotency key starts an execution with the timeout and the priority of the deployment', async () => {
    const keyed = thread.handle.options({ idempotencyKey: 'key' });
    const early = [keyed.remote(1), thread.handle.options({ priority: 'sheddable-plus' }).remote(2)];
    for (const response of early) response.catch(() => {});
    thread.announced({ priorityRank: 3, requestTimeoutMs: 120_000 });
    const replica = thread.up('r0', 1);
    expect(replica.open[0]?.args).toEqual([2]);
    replica.answer(replica.open[0], (call) => call.succeeded(undefined));
    const execution = replica.open[0] as Call;
    expect(execution.args).toEqual([1]);
    expect(Math.round(execution.expiresAt - execution.createdAt)).toBe(120_000);
    replica.answer(execution, (call) => call.succeeded('result'));
    await expect(early[0]).resolves.toBe('result');
  });
});

test('an execution under an idempotency key stays in this instance where its call is to stay', () => {
  thread.announced();
  const [peer, own] = [thread.up('peer', 10, 'peer'), thread.up('own', 10)];
  const local = thread.handle.options({ preferLocal: true });
  // From half of the places on, calls go where they cost less.
  for (let call = 0; call < 9; call++) local.remote(call).catch(() => {});
  local
    .options({ idempotencyKey: 'key' })
    .remote(9)
    .catch(() => {});
  expect([own.open.length, peer.open.length]).toEqual([10, 0]);
});
