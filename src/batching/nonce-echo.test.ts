import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CANCEL_CODE } from '../channel/frames.ts';
import type { InboundCall } from '../channel/inbound-call.ts';
import { context } from '../handle/call/context.ts';
import { callScope } from '../handle/call/scope.ts';
import { RunningCall } from '../replica/running-call.ts';
import { now } from '../time/clock.ts';
import { batch } from './batch.ts';
import { batchError } from './batch-error.ts';

const IDENTITY = { app: 'app', deployment: 'Model', replicaId: 'Model#1', rank: 0, gpus: [] };

/** A call as a replica has it while user code works on it. */
function callOf(number: number, deadline: number, tenant: string, multiplexedModelId: string): RunningCall {
  const meta = { tenant, multiplexedModelId };
  const inbound = { callerName: 'test', number, method: 0, deadline, args: [], meta, listener: undefined };
  return new RunningCall(inbound as unknown as InboundCall, IDENTITY);
}

interface Plan {
  tenant: string;
  model: string;
  /** What the function does with the item. */
  fate: 'ok' | 'throws' | 'item error';
  /** What the caller does meanwhile. */
  caller: 'waits' | 'leaves before' | 'leaves during' | 'times out during' | 'is late';
}

interface Item extends Plan {
  nonce: string;
}

const plans = fc.array(
  fc.record<Plan>({
    tenant: fc.constantFrom('a', 'b', 'a\0'),
    model: fc.constantFrom('', 'm', '\0m'),
    fate: fc.constantFrom('ok', 'ok', 'ok', 'throws', 'item error'),
    caller: fc.constantFrom(
      'waits',
      'waits',
      'waits',
      'leaves before',
      'leaves during',
      'times out during',
      'is late',
    ),
  }),
  { minLength: 1, maxLength: 40 },
);
const options = fc.record({
  maxBatchSize: fc.integer({ min: 1, max: 9 }),
  batchWaitTimeoutMs: fc.constantFrom(0, 1),
  maxConcurrentBatches: fc.integer({ min: 1, max: 3 }),
  mode: fc.constantFrom('fixed' as const, 'adaptive' as const),
  bisectOnError: fc.boolean(),
});

test('nobody gets what is not his, whatever callers and batches do; nor do tenants or models meet', async () => {
  await fc.assert(
    fc.asyncProperty(options, plans, async (chosen, script) => {
      const calls = new Map<string, RunningCall>();
      let running = 0;
      const fn = batch<Item, string>(chosen, async (items) => {
        expect(++running).toBeLessThanOrEqual(chosen.maxConcurrentBatches);
        expect(items.length).toBeLessThanOrEqual(chosen.maxBatchSize);
        expect(new Set(items.map(({ tenant, model }) => JSON.stringify([tenant, model]))).size).toBe(1);
        const { tenant, multiplexedModelId } = context();
        expect([tenant, multiplexedModelId]).toEqual([items[0]?.tenant, items[0]?.model]);
        for (const { caller, nonce } of items) {
          expect(['leaves before', 'is late']).not.toContain(caller);
          if (caller === 'leaves during') calls.get(nonce)?.cancelled(CANCEL_CODE.cancelled);
          if (caller === 'times out during') calls.get(nonce)?.cancelled(CANCEL_CODE.timeout);
        }
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (items.some(({ fate }) => fate === 'throws')) throw new Error('whole batch');
        return items.map(({ fate, nonce }) =>
          fate === 'item error' ? batchError(new Error(`item ${nonce}`)) : `result ${nonce}`,
        );
      });
      const outcomes = script.map((plan, n) => {
        const item = { ...plan, nonce: `${n}` };
        const deadline = plan.caller === 'is late' ? now() - 1 : now() + 60_000;
        const call = callOf(n, deadline, plan.tenant, plan.model);
        calls.set(item.nonce, call);
        const result = callScope.run(call, () => fn(item));
        if (plan.caller === 'leaves before') call.cancelled(CANCEL_CODE.cancelled);
        return result.catch((error: Error) => Reflect.get(error, 'code') ?? error.message);
      });
      for (const [n, outcome] of (await Promise.all(outcomes)).entries()) {
        const { fate, caller } = script[n] as Plan;
        const isAlone = chosen.bisectOnError || chosen.maxBatchSize === 1;
        if (caller === 'is late' || caller === 'times out during') expect(outcome).toBe('SERVE_TIMEOUT');
        else if (caller !== 'waits') expect(outcome).toBe('SERVE_CANCELLED');
        else if (fate === 'throws') expect(outcome).toBe('whole batch');
        else if (isAlone) expect(outcome).toBe(fate === 'ok' ? `result ${n}` : `item ${n}`);
        else expect([fate === 'ok' ? `result ${n}` : `item ${n}`, 'whole batch']).toContain(outcome);
      }
    }),
    { numRuns: 150, seed: 7 },
  );
});
