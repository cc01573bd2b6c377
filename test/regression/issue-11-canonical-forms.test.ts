import { describe, expect, test } from 'vitest';
import { holder } from '../fixtures/calls/values.ts';
import { WORK, worker } from '../fixtures/load/overload.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';

const APP = { name: 'app', routePrefix: null };
const REUSED = { code: 'SERVE_INVALID_OPTION', statusCode: 422 };

describe('another bound argument is another version', () => {
  test.each<[string, () => unknown]>([
    ['a Blob', () => new Blob(['same'])],
    ['shared memory', () => new SharedArrayBuffer(8)],
    ['a view of shared memory', () => new Uint8Array(new SharedArrayBuffer(8))],
  ])('%s', async (_what, make) => {
    await using serve = quietServe();
    const [first, second] = [make(), make()];
    const version = async (value: unknown): Promise<string | undefined> => {
      await serve.run(holder.bind(value), APP);
      return serve.status().apps['app']?.version;
    };
    const before = await version(first);
    expect(await version(first)).toBe(before);
    expect(await version(second)).not.toBe(before);
  });
});

describe('an idempotency key stands for its arguments', () => {
  test('for the bytes of a Blob, for shared memory itself, for a Buffer', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(WORK.gate, 1);
    const handle = await serve.run(worker.bind(shared.buffer), APP);
    const keyed = (key: string) => handle.options({ idempotencyKey: key });
    const first = await keyed('blob').hold.remote(new Blob(['a']));
    expect((await keyed('blob').hold.remote(new Blob(['a']))).run).toBe(first.run);
    await expect(keyed('blob').hold.remote(new Blob(['b']))).rejects.toMatchObject(REUSED);
    const memory = new SharedArrayBuffer(8);
    const second = await keyed('memory').hold.remote(memory);
    expect((await keyed('memory').hold.remote(memory)).run).toBe(second.run);
    await expect(keyed('memory').hold.remote(new SharedArrayBuffer(8))).rejects.toMatchObject(REUSED);
    await keyed('bytes').hold.remote(Buffer.from('a'));
    await expect(keyed('bytes').hold.remote(new Uint8Array([97]))).rejects.toMatchObject(REUSED);
  });

  test('for much memory, and a caller that leaves while it is hashed is not served', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(WORK.gate, 1);
    const handle = await serve.run(worker.bind(shared.buffer), APP);
    const keyed = handle.options({ idempotencyKey: 'large' });
    const large = new Uint8Array(8 << 20);
    const calls = [keyed.hold.remote(large), keyed.hold.remote(large)];
    const left = keyed.hold.remote(large);
    left.cancel();
    await expect(left).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    const [first, second] = await Promise.all(calls);
    expect(second?.run).toBe(first?.run);
    large[1 << 20] = 1;
    await expect(keyed.hold.remote(large)).rejects.toMatchObject(REUSED);
    expect(shared.get(WORK.started)).toBe(1);
  });
});
