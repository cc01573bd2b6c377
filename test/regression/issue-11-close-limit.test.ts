import { expect, test } from 'vitest';
import { FAULT, faulty } from '../fixtures/faulty/faults.ts';
import { CELL, lifecycle } from '../fixtures/updates/lifecycle.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';

test('close() ends a replica that computes when its limit is over, not two seconds later', async () => {
  // A busy machine may hold up one close, but hardly three of them.
  const took: number[] = [];
  while (took.length < 3 && !took.some((ms) => ms < 1_500)) {
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
    took.push(performance.now() - from);
    expect(await computing).toBe('SERVE_REPLICA_DIED');
  }
  expect(Math.min(...took)).toBeGreaterThanOrEqual(95);
  expect(Math.min(...took)).toBeLessThan(1_500);
});

test('the destructor of an idle replica runs within a short limit', async () => {
  const serve = quietServe();
  const shared = new Shared();
  await serve.run(lifecycle.bind({ shared: shared.buffer }));
  await serve.close({ timeoutMs: 1_000 });
  expect(shared.get(CELL.disposed)).toBe(1);
});
