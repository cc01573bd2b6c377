import { expect, test } from 'vitest';
import { FAULT, faulty } from '../fixtures/faulty/faults.ts';
import { CELL, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';

test('close() ends a replica that computes when its limit is over, not two seconds later', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(faulty.options({ requestTimeoutMs: 0 }).bind(shared.buffer));
  const computing = handle.loop.remote().then(
    () => 'answered',
    (error: { code: string }) => error.code,
  );
  await shared.atLeast(FAULT.started, 1);
  const from = performance.now();
  await serve.close({ timeoutMs: 100 });
  const tookMs = performance.now() - from;
  expect(tookMs).toBeGreaterThanOrEqual(95);
  expect(tookMs).toBeLessThan(1_500);
  expect(await computing).toBe('SERVE_REPLICA_DIED');
});

test('the destructor of an idle replica runs within a short limit', async () => {
  const serve = quietServe();
  const shared = new Shared();
  await serve.run(lifecycle.bind({ shared: shared.buffer }));
  await serve.close({ timeoutMs: 1_000 });
  expect(shared.get(CELL.disposed)).toBe(1);
});
