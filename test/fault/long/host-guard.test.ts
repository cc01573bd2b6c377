import { describe, expect, test } from 'vitest';
import type { Serve, ServeError } from '../../../src/index.ts';
import { WORK, worker } from '../../fixtures/load/overload.ts';
import { busy } from '../../support/busy.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event } from '../../support/until.ts';
import { code } from '../under-load.ts';

function count(serve: Serve, reason: string): Promise<number> {
  return serve.metrics().then((text) => {
    const found = new RegExp(`serve_shed_total\\{[^}]*reason="${reason}"\\} (\\d+)`).exec(text);
    return Number(found?.[1] ?? 0);
  });
}

describe('host guard', () => {
  test('a host that lags sheds sheddable calls, and says so once; then it recovers', async () => {
    // Far above what a busy machine does to a test, far below what the test does.
    const hostGuard = { enabled: true, shedSheddableMs: 250, shedAllMs: 100_000 };
    await using serve = quietServe({ hostGuard });
    const shared = new Shared();
    const handle = await serve.run(worker.bind(shared.buffer));
    const sheddable = handle.options({ priority: 'sheddable' });
    const running = sheddable.hold.remote(1);
    await shared.atLeast(WORK.started, 1);
    const overloads: string[] = [];
    serve.on('fault', ({ reason }) => overloads.push(reason));
    const overload = event(serve, 'fault', ({ reason }) => reason === 'host overload');
    const recovered = event(serve, 'fault', ({ reason }) => reason === 'host recovered');
    const relax = busy(550);
    const { error } = await overload;
    expect(error).toMatchObject({ code: 'SERVE_BACKPRESSURE' });
    const refused = await sheddable.where.remote().catch((thrown: ServeError) => thrown);
    expect(refused).toMatchObject({ code: 'SERVE_BACKPRESSURE', statusCode: 503, retryable: true });
    expect((refused as ServeError).retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(await code(handle.where.remote())).toBe('ok');
    expect(await serve.metrics()).toContain('serve_host_shedding{level="sheddable"} 1');
    expect(await serve.metrics()).toContain('serve_host_shedding{level="everything"} 0');
    relax();
    // The call that was admitted goes on.
    shared.set(WORK.gate, 1);
    expect(await code(running)).toBe('ok');
    await recovered;
    expect(await code(sheddable.where.remote())).toBe('ok');
    expect(overloads).toEqual(['host overload', 'host recovered']);
    expect(serve.log.records.filter(({ message }) => message.includes('event loop lags'))).toHaveLength(1);
    expect(await count(serve, 'host_overload')).toBe(1);
  });
});
