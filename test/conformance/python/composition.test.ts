import { describe, expect, test } from 'vitest';
import type { Serve } from '../../../src/index.ts';
import { adder, chain, multiplier, parent, waiter } from '../../fixtures/python/conformance.ts';
import { EventLog } from '../../fixtures/python/event-log.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';

const runChain = (serve: Serve, log: EventLog) =>
  serve.run(chain.bind(adder.bind(2), multiplier.bind(3, log.path)));

/** Ray Serve's behaviours 27, 28 and 56, with Python replicas. */
describe.skipIf(!HAS_PYTHON)('composition in Python (skipped without Python 3.9 or newer)', () => {
  test('27: a response passed un-awaited is the same as an awaited one', async () => {
    await using serve = quietServe();
    const handle = await runChain(serve, new EventLog());
    expect(await handle.chained.remote(5)).toBe(21);
    expect(await handle.awaited.remote(5)).toBe(21);
    expect(await handle.fanned.remote(5)).toEqual([7, 7, 21, 21]);
  });

  test('27: on the host as well', async () => {
    await using serve = quietServe();
    const add = await serve.run(adder.bind(2), { routePrefix: null });
    const multiply = await serve.run(multiplier.bind(3, new EventLog().path), { routePrefix: null });
    expect(await multiply.multiply.remote(add.add.remote(1))).toBe(9);
  });

  test("28: when the upstream fails the downstream is never called, and its caller gets the upstream's error", async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const handle = await runChain(serve, log);
    await expect(handle.broken.remote()).rejects.toMatchObject({
      name: 'AdderError',
      message: 'the adder broke',
      code: 'E_ADD',
    });
    expect(log.count('multiplied')).toBe(0);
  });

  test('56: cancelling a parent cancels its children, running and queued, and nobody else', async () => {
    await using serve = quietServe();
    const log = new EventLog();
    const child = waiter.options({ maxOngoingRequests: 2 }).bind(log.path);
    const handle = await serve.run(parent.bind(child));
    const report = () => serve.status().apps['Parent']?.deployments['Waiter'];
    const sibling = serve.handle(child).sibling.remote();
    await log.until('sibling');
    const call = handle.wait.remote(3);
    await log.until('started');
    await eventually(() => report()?.queued === 2);
    call.cancel('enough');
    await expect(call).rejects.toMatchObject({ code: 'SERVE_CANCELLED', cause: 'enough', retryable: false });
    await log.until('aborted');
    await eventually(() => report()?.queued === 0);
    log.add('gate');
    expect(await sibling).toBe('untouched');
    await eventually(() => report()?.replicas[0]?.ongoing === 0);
    expect(log.count('started')).toBe(1);
  });
});
