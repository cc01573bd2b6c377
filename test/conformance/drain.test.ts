import { describe, expect, test } from 'vitest';
import type { DeploymentHandle, DeploymentOptions, Serve } from '../../src/index.ts';
import { CELL, type Lifecycle, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, status } from '../support/until.ts';

/** Far longer than a test: nothing ends by these by accident. */
const LONG = 600_000;
const HASTY: DeploymentOptions = { gracefulShutdownTimeoutMs: 50, maxOngoingRequests: 1 };

/** One replica per call, so that scaling down stops one that has a call. */
async function pair(serve: Serve, shared: Shared, options: DeploymentOptions) {
  const app = (numReplicas: number) =>
    lifecycle.options({ ...HASTY, ...options, numReplicas }).bind({ shared: shared.buffer, label: 'held' });
  const handle = await serve.run(app(2));
  await status(serve, 'Lifecycle', 'Lifecycle', 'HEALTHY');
  const leave = async (): Promise<string> => {
    const stopping = event(serve, 'replica', ({ state }) => state === 'STOPPING');
    await serve.run(app(1));
    return (await stopping).replica;
  };
  return { handle, leave };
}

/** The time in which streams must begin, in ms; a busy machine takes no longer. */
const BEGIN_MS = 1_500;

/** Resolves well after `HASTY`'s grace and `BEGIN_MS` are over. */
async function graceOver(handle: DeploymentHandle<typeof Lifecycle>): Promise<void> {
  await handle
    .options({ timeoutMs: BEGIN_MS + 300 })
    .remote()
    .catch(() => {});
}

describe('a replica that leaves while the app goes on', () => {
  test('finishes its calls: they have till their deadlines, whatever the grace', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const { handle, leave } = await pair(serve, shared, { requestTimeoutMs: LONG });
    const calls = [handle.hold.remote(), handle.hold.remote()];
    await shared.atLeast(CELL.started, 2);
    await leave();
    await graceOver(handle);
    shared.set(CELL.gate, 1);
    expect(await Promise.all(calls)).toEqual(['held', 'held']);
  });

  test('goes once the last deadline has passed, though requestTimeoutMs is longer', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const { handle, leave } = await pair(serve, shared, { requestTimeoutMs: LONG });
    // They do not listen to their signal, so only their thread's end ends them.
    const hurried = handle.options({ timeoutMs: 400 });
    const outcomes = Promise.allSettled([hurried.hold.remote(), hurried.hold.remote()]);
    await shared.atLeast(CELL.started, 2);
    const stopped = event(serve, 'replica', ({ state }) => state === 'STOPPED');
    const left = await leave();
    expect((await stopped).replica).toBe(left);
    const codes = (await outcomes).map((outcome) => outcome.status === 'rejected' && outcome.reason.code);
    expect(codes).toEqual(['SERVE_TIMEOUT', 'SERVE_TIMEOUT']);
    shared.set(CELL.gate, 1);
  });

  test('keeps what was promised before an update that promises less', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const at = (requestTimeoutMs: number, version: string) =>
      lifecycle
        .options({ ...HASTY, requestTimeoutMs, version })
        .bind({ shared: shared.buffer, label: version });
    const handle = await serve.run(at(LONG, 'v1'));
    const held = handle.hold.remote();
    await shared.atLeast(CELL.started, 1);
    await serve.run(at(100, 'v2'));
    expect((await handle.remote()).label).toBe('v2');
    const late = handle.hold.remote().catch((error: unknown) => error);
    expect(await late).toMatchObject({ code: 'SERVE_TIMEOUT' });
    shared.set(CELL.gate, 1);
    expect(await held).toBe('v1');
  });

  test.each([
    ['streamTimeoutMs', { streamTimeoutMs: LONG }],
    ['the grace, if streams have no limit', { gracefulShutdownTimeoutMs: 60_000 }],
  ])('lets streams that have begun go on for %s', async (_what, options) => {
    await using serve = quietServe();
    const shared = new Shared();
    const { handle, leave } = await pair(serve, shared, { requestTimeoutMs: BEGIN_MS, ...options });
    const streams = [handle.chunks.remote(), handle.chunks.remote()];
    await shared.atLeast(CELL.started, 2);
    await leave();
    await graceOver(handle);
    shared.set(CELL.gate, 1);
    expect(await Promise.all(streams.map((stream) => Array.fromAsync(stream)))).toEqual([
      ['first', 'last'],
      ['first', 'last'],
    ]);
  });

  test('ends a stream after the grace that nobody has promised more', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const { handle, leave } = await pair(serve, shared, { requestTimeoutMs: BEGIN_MS });
    const streams = [handle.chunks.remote(), handle.chunks.remote()];
    const outcomes = Promise.allSettled(streams.map((stream) => Array.fromAsync(stream)));
    await shared.atLeast(CELL.started, 2);
    const stopped = event(serve, 'replica', ({ state }) => state === 'STOPPED');
    await leave();
    await stopped;
    shared.set(CELL.gate, 1);
    expect((await outcomes).map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });
});
