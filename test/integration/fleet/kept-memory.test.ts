import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeploymentHandle, transfer } from '../../../src/index.ts';
import {
  isPattern,
  KEPT_BYTES,
  type Keeper,
  type KeeperFront,
  keeper,
  keeperFront,
  PART_BYTES,
  pattern,
} from '../../fixtures/calls/memory.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where threads start, on a busy machine. */
const START_MS = 180_000;
const MIB = 1_048_576;
/** Calls at a time: more than the places of the peers, which refuse some. */
const CALLS = 10;

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

describe('memory that crosses from instance to instance', () => {
  const resources = new AsyncDisposableStack();
  let handle: DeploymentHandle<Keeper>;
  let front: DeploymentHandle<KeeperFront>;

  async function instance(peers: readonly FleetInstance[], numReplicas: number): Promise<FleetInstance> {
    const addresses = await Promise.all(peers.map(({ fleet }) => fleet.address));
    const one = resources.use(await fleetInstance({ trustNetwork: false, peers: addresses }));
    if (numReplicas > 0) await one.serve.run(keeper.options({ numReplicas }).bind(), { name: 'keeper' });
    return one;
  }

  beforeAll(async () => {
    const caller = await instance([await instance([], 2), await instance([], 1)], 0);
    front = (await caller.serve.run(keeperFront.bind(), { name: 'front' })) as DeploymentHandle<KeeperFront>;
    handle = caller.serve.handle<Keeper>('keeper');
    await eventually(async () => (await handle.broadcast('kept').catch(() => [])).length === 3, START_MS);
  }, START_MS);

  afterAll(() => resources.disposeAsync());

  test('stays the memory of a replica that returns it from all its calls', async () => {
    for (let round = 0; round < 2; round++) {
      for (const result of await Promise.all(times(CALLS, () => handle.kept.remote()))) {
        expect(isPattern(result, 1, KEPT_BYTES)).toBe(true);
        result.fill(0);
      }
      const { one, other, part, all } = await handle.keptTwice.remote();
      expect([one.buffer, other.buffer, part.buffer].every((buffer) => buffer === all)).toBe(true);
      expect(isPattern(one, 1, KEPT_BYTES)).toBe(true);
      expect(Buffer.compare(part, one.subarray(100_000, 300_000))).toBe(0);
    }
    const batched = await Promise.all(times(CALLS, (item) => handle.keptOfBatch.remote(item)));
    expect(batched.every((result) => isPattern(result, 1, KEPT_BYTES))).toBe(true);
  });

  test('is cut up for the items of a batch', async () => {
    const parts = await Promise.all(times(CALLS, (item) => handle.partOfBatch.remote(item)));
    for (const [item, part] of parts.entries())
      expect(Buffer.compare(part, Buffer.alloc(PART_BYTES, item))).toBe(0);
  });

  test('stays with a replica that keeps its arguments', async () => {
    const session = handle.options({ sessionId: 's' });
    const value = { one: pattern(4, MIB), few: Buffer.from('few'), list: [pattern(5, 100_000)] };
    await session.take.remote(value);
    await Promise.all(times(CALLS, (seed) => session.echo.remote(pattern(seed, 200_000))));
    for (let time = 0; time < 2; time++) {
      const { one, few, list } = (await session.taken.remote()) as typeof value;
      expect(isPattern(one, 4, MIB) && isPattern(list[0] as Uint8Array, 5, 100_000)).toBe(true);
      expect(String(few)).toBe('few');
    }
  });

  test('stays with the caller, in whatever form and however often it is passed', async () => {
    const own = pattern(6, MIB);
    const part = own.subarray(10, 200_000);
    const words = new Uint32Array(own.buffer, 4, 1_000);
    const pooled = times(20, (index) => Buffer.from(`pooled ${index}`));
    const value = { own, again: own, part, words, all: own.buffer, pooled };
    for (const given of await Promise.all(times(CALLS, () => handle.echo.remote(value)))) {
      const back = given as typeof value;
      expect(isPattern(back.own, 6, MIB) && back.again === back.own).toBe(true);
      expect([back.part, back.words].every(({ buffer }) => buffer === back.all)).toBe(true);
      expect([back.part.byteOffset, back.words[3]]).toEqual([10, words[3]]);
      expect(back.pooled.map(String)).toEqual(pooled.map(String));
    }
    const all = await handle.broadcast('echo', own);
    expect(all.map((bytes) => isPattern(bytes as Uint8Array, 6, MIB))).toEqual([true, true, true]);
    // Such calls may be hedged.
    const hedged = await Promise.all(times(CALLS, () => handle.echoAgain.remote(pooled, 20)));
    expect(hedged.map((back) => String(back))).toEqual(times(CALLS, () => String(pooled)));
    expect(isPattern(own, 6, MIB) && pooled.every(({ length }) => length > 0)).toBe(true);
  });

  test('arrives as a gift where it is given away', async () => {
    const calls = times(CALLS, async (seed) => {
      const length = seed % 2 === 0 ? 300_000 : 300;
      const bytes = pattern(seed, length);
      const response = handle.echo.remote(transfer({ bytes, part: bytes.subarray(5) }, [bytes.buffer]));
      expect(bytes.length).toBe(0);
      const back = (await response) as { bytes: Uint8Array; part: Uint8Array };
      return isPattern(back.bytes, seed, length) && back.part.buffer === back.bytes.buffer;
    });
    expect((await Promise.all(calls)).every(Boolean)).toBe(true);
    const given = await Promise.all(times(CALLS, (seed) => handle.given.remote(seed, 200_000)));
    expect(given.every((bytes, seed) => isPattern(bytes, seed, 200_000))).toBe(true);
  });

  test('is as it was when a chunk was yielded', async () => {
    const seen: number[] = [];
    for await (const chunk of handle.rewritten.remote(6, MIB))
      expect(Buffer.compare(chunk, Buffer.alloc(MIB, seen.push(chunk.length) - 1))).toBe(0);
    expect(seen).toHaveLength(6);
  });

  test('belongs to each of the callers that share a result', async () => {
    const own = pattern(8, MIB);
    for (const key of ['one', 'other', 'other']) {
      const keyed = handle.options({ idempotencyKey: key });
      const [first, second] = (await Promise.all(times(2, () => keyed.echo.remote(own, 5)))) as Uint8Array[];
      expect(isPattern(first as Uint8Array, 8, MIB)).toBe(true);
      first?.fill(0);
      expect(isPattern(second as Uint8Array, 8, MIB)).toBe(true);
    }
  });

  test.each([MIB, 300])(
    'stays with a replica that calls, or is given away by it: %d bytes',
    async (length) => {
      const both = [
        front.giveAll.remote(20, length),
        front.echoAll.remote(20, length),
        front.toAll.remote(length),
      ];
      expect(await Promise.all(both)).toEqual([true, true, true]);
    },
  );
});
