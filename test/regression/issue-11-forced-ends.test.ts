import { expect, test } from 'vitest';
import type { Serve } from '../../src/index.ts';
import { type NativeWorkArgs, nativeWork, WORK } from '../fixtures/threads/native-work.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';

// A thread that is forced to end while the native work of an addon is under way takes the process with it. The work of
// these tests is Node's own, whose completion is only lost then.

/** Runs the app; its work is under way. */
async function running(args: Partial<NativeWorkArgs> = {}) {
  const serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(nativeWork.bind({ shared: shared.buffer, ...args }));
  await handle.begin.remote();
  expect(shared.get(WORK.begun)).toBe(4);
  return { serve, handle, shared };
}

const ENDS: [string, (serve: Serve) => Promise<void>][] = [
  ['close()', (serve) => serve.close()],
  ['delete()', (serve) => serve.delete('NativeWork')],
];

test.each(ENDS)('%s waits for native work that is under way', async (_name, end) => {
  const { serve, shared } = await running();
  await using _ = serve;
  await end(serve);
  expect(shared.get(WORK.done)).toBe(4);
});

test('the work of a call that timed out is waited for as well', async () => {
  const { serve, handle, shared } = await running();
  await using _ = serve;
  await expect(handle.options({ timeoutMs: 1 }).remote()).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
  await serve.close();
  expect(shared.get(WORK.done)).toBe(shared.get(WORK.begun));
});

test('a start that fails ends its thread in order', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const app = nativeWork
    .options({ maxConstructorRetryCount: 1 })
    .bind({ shared: shared.buffer, fails: true });
  await expect(serve.run(app)).rejects.toMatchObject({ code: 'SERVE_DEPLOY_FAILED' });
  expect(shared.get(WORK.done)).toBe(4);
});

test('where a timer is left open and an addon is loaded, the end waits for the work all the same', async () => {
  const { serve, shared } = await running({ leavesTimer: true, hasAddon: true });
  await serve.close();
  expect(shared.get(WORK.done)).toBe(4);
});
