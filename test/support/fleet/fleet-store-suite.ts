import { expect, test } from 'vitest';
import type { BeatRequest, FleetStore, Hint, JoinRequest, Lease } from '../../../src/cluster/fleet-store.ts';

/** A store that nothing has been written to. */
export interface FreshStore extends AsyncDisposable {
  readonly store: FleetStore;
}

const DAY_MS = 24 * 60 * 60_000;

export function joinOf(id: string, options: Partial<JoinRequest> = {}): JoinRequest {
  return {
    id,
    revision: `${id}-1`,
    record: bytes(`record of ${id}`),
    ttlMs: 10_000,
    versions: {},
    version: '1/a',
    declarationHash: 'a',
    declaration: bytes('declaration a'),
    declarationTtlMs: 60_000,
    ...options,
  };
}

export function beatOf(id: string, options: Partial<BeatRequest> = {}): BeatRequest {
  return {
    id,
    ttlMs: 10_000,
    declarationHash: 'a',
    declarationTtlMs: 60_000,
    lease: undefined,
    leaseTtlMs: 15_000,
    documentTtlMs: 60_000,
    slice: 0,
    ...options,
  };
}

export const NOTHING = { members: [], declarations: [], overrides: false, plan: false, versions: false };

/** Plain bytes, also ones that are no text. */
export function bytes(text: string): Uint8Array {
  return Buffer.from([0, 255, ...Buffer.from(text)]);
}

/** What every `FleetStore` does, whatever it is made of. */
export function fleetStoreConformance(fresh: () => Promise<FreshStore>): void {
  test('a beat without a record says so; a join makes the member known with its revision', async () => {
    await using made = await fresh();
    const { store } = made;
    expect(await store.beat(beatOf('a'))).toEqual({
      isGone: true,
      members: [],
      memberCount: 0,
      lease: undefined,
      generation: 0,
      overridesTag: '',
      planNumber: 0,
      planToken: 0,
    });
    await store.join(joinOf('b'));
    await store.join(joinOf('a', { revision: 'r2' }));
    const { isGone, members, memberCount } = await store.beat(beatOf('a'));
    expect([isGone, memberCount]).toEqual([false, 2]);
    expect(members.map(({ id, revision }) => [id, revision])).toEqual([
      ['a', 'r2'],
      ['b', 'b-1'],
    ]);
    for (const { ttlMs } of members) expect(ttlMs).toBeGreaterThan(5_000);
  });

  test('records and declarations come back as they were written; what is absent is undefined', async () => {
    await using made = await fresh();
    const { store } = made;
    await store.join(joinOf('a'));
    const read = await store.read({
      ...NOTHING,
      members: ['a', 'b'],
      declarations: ['a', 'x'],
      overrides: true,
      plan: true,
    });
    expect(read.members['a']).toEqual(joinOf('a').record);
    expect(read.members['b']).toBeUndefined();
    expect(read.declarations['a']).toEqual(joinOf('a').declaration);
    expect(read.declarations['x']).toBeUndefined();
    expect([read.overrides, read.plan, read.versions]).toEqual([undefined, undefined, {}]);
  });

  test('an instance whose declaration is gone must join again', async () => {
    await using made = await fresh();
    await made.store.join(joinOf('a'));
    expect((await made.store.beat(beatOf('a', { declarationHash: 'other' }))).isGone).toBe(true);
  });

  test('a new version of the code is later than all others; the highest time of each is kept', async () => {
    await using made = await fresh();
    const { store } = made;
    const first = await store.join(joinOf('a'));
    const at = first.versions['1/a'] ?? 0;
    expect(Math.abs(at - Date.now())).toBeLessThan(60_000);
    const second = await store.join(joinOf('b', { versions: { '1/a': at + 5_000 }, version: '2/b' }));
    expect(second.versions).toEqual({ '1/a': at + 5_000, '2/b': at + 5_001 });
    const third = await store.join(joinOf('a', { versions: { '1/a': at, poison: Date.now() + 2 * DAY_MS } }));
    expect(third.versions).toEqual(second.versions);
    expect((await store.read({ ...NOTHING, versions: true })).versions).toEqual(second.versions);
  });

  test('the lease has one holder; a later one gets a higher token, above the floor', async () => {
    await using made = await fresh();
    const { store } = made;
    const lease = await store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
    expect(lease?.owner).toBe('a#1');
    expect(await store.lease({ owner: 'b#1', ttlMs: 15_000, floor: 0 })).toEqual(lease);
    expect(await store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 })).toEqual(lease);
    expect((await store.beat(beatOf('x'))).lease).toEqual(lease);
    const token = lease?.token ?? 0;
    expect(await store.lease({ owner: 'b#1', ttlMs: 0, floor: 0 })).toEqual(lease);
    expect(await store.lease({ owner: 'a#1', ttlMs: 0, floor: 0 })).toBeUndefined();
    const floor = token + 1_000_000;
    expect(await store.lease({ owner: 'b#1', ttlMs: 15_000, floor })).toEqual({
      owner: 'b#1',
      token: floor + 1,
    });
  });

  test('a lease whose token is below the floor, or a day ahead, counts as absent', async () => {
    await using made = await fresh();
    const { store } = made;
    const old = await store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
    // Tokens follow the clock, which does not reach the floor meanwhile.
    const floor = (old?.token ?? 0) + 3_600_000;
    expect(await store.lease({ owner: 'b#1', ttlMs: 15_000, floor })).toEqual({
      owner: 'b#1',
      token: floor + 1,
    });
    const far = Date.now() + 2 * DAY_MS;
    expect(await store.lease({ owner: 'c#1', ttlMs: 15_000, floor: far })).toEqual({
      owner: 'c#1',
      token: far + 1,
    });
    expect((await store.beat(beatOf('x'))).lease).toBeUndefined();
    const next = await store.lease({ owner: 'd#1', ttlMs: 15_000, floor: 0 });
    expect(next?.owner).toBe('d#1');
    expect(next?.token).toBeLessThan(far);
  });

  test('a beat renews the lease of its holder only', async () => {
    await using made = await fresh();
    const { store } = made;
    await store.join(joinOf('a'));
    const ttlMs = 500;
    let lease: Lease | undefined;
    let renewed: Lease | undefined;
    let tookMs = Number.POSITIVE_INFINITY;
    // On a machine that stalls the lease may be over before it is renewed.
    while (tookMs >= ttlMs) {
      const from = performance.now();
      lease = await store.lease({ owner: 'a#1', ttlMs, floor: 0 });
      if (lease === undefined) throw new Error('no lease');
      await store.beat(beatOf('a', { lease: { ...lease, token: lease.token - 1 }, leaseTtlMs: ttlMs }));
      renewed = (await store.beat(beatOf('a', { lease, leaseTtlMs: 120_000 }))).lease;
      tookMs = performance.now() - from;
      if (tookMs >= ttlMs) await store.lease({ owner: 'a#1', ttlMs: 0, floor: 0 });
    }
    expect(renewed).toEqual(lease);
    await new Promise((resolve) => setTimeout(resolve, ttlMs + 100));
    expect((await store.beat(beatOf('a'))).lease).toEqual(lease);
  });

  test('overrides are written by compare-and-set; of two with one generation the greater seal wins', async () => {
    await using made = await fresh();
    const { store } = made;
    const write = async (expected: number, generation: number, text: string): Promise<boolean> =>
      (await store.override({ expected, generation, value: bytes(text), ttlMs: 60_000 })).isAccepted;
    expect(await write(0, 3, 'm')).toBe(true);
    expect(await write(0, 4, 'late')).toBe(false);
    expect(await write(3, 4, 'n')).toBe(true);
    expect(await write(3, 4, 'n')).toBe(true);
    expect(await write(4, 3, 'back')).toBe(false);
    expect(await write(4, 4, 'a')).toBe(false);
    expect(await write(4, 4, 'z')).toBe(true);
    const { overrides } = await store.read({ ...NOTHING, overrides: true });
    expect(overrides).toEqual({ number: 4, value: bytes('z') });
    const beat = await store.beat(beatOf('x'));
    expect([beat.generation, beat.overridesTag]).toEqual([4, '00ff7a']);
  });

  test('a plan needs the lease and the number that is stored', async () => {
    await using made = await fresh();
    const { store } = made;
    const lease = await store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
    if (lease === undefined) throw new Error('no lease');
    const write = async (change: object): Promise<boolean> =>
      (await store.plan({ ...lease, expected: 0, number: 1, pages: [bytes('p1')], ttlMs: 60_000, ...change }))
        .isAccepted;
    expect(await write({ owner: 'b#1' })).toBe(false);
    expect(await write({ token: lease.token - 1 })).toBe(false);
    expect(await write({})).toBe(true);
    expect(await write({})).toBe(true);
    expect(await write({ pages: [bytes('other')] })).toBe(false);
    expect(await write({ expected: 0, number: 2 })).toBe(false);
    expect(await write({ expected: 1, number: 1 })).toBe(true);
    const pages = [bytes('one'), bytes('two'), bytes('three')];
    expect(await write({ expected: 1, number: 5, pages })).toBe(true);
    expect((await store.read({ ...NOTHING, plan: true })).plan).toEqual({ number: 5, value: pages });
    expect(await write({ expected: 5, number: 6, pages: pages.slice(0, 1) })).toBe(true);
    expect((await store.read({ ...NOTHING, plan: true })).plan).toEqual({
      number: 6,
      value: pages.slice(0, 1),
    });
    const beat = await store.beat(beatOf('x'));
    expect([beat.planNumber, beat.planToken]).toEqual([6, lease.token]);
  });

  test('a later lease has a token above that of the last plan', async () => {
    await using made = await fresh();
    const { store } = made;
    const floor = Date.now() + 60_000;
    const lease = await store.lease({ owner: 'a#1', ttlMs: 15_000, floor });
    if (lease === undefined) throw new Error('no lease');
    await store.plan({ ...lease, expected: 0, number: 1, pages: [bytes('p')], ttlMs: 60_000 });
    await store.lease({ owner: 'a#1', ttlMs: 0, floor: 0 });
    expect(await store.lease({ owner: 'b#1', ttlMs: 15_000, floor: 0 })).toEqual({
      owner: 'b#1',
      token: floor + 2,
    });
  });

  test('a member that leaves is gone; one that lives is not removed by others', async () => {
    await using made = await fresh();
    const { store } = made;
    await store.join(joinOf('a'));
    await store.join(joinOf('b', { ttlMs: 30 }));
    await new Promise((resolve) => setTimeout(resolve, 60));
    const dead = (await store.beat(beatOf('a'))).members.find(({ id }) => id === 'b');
    expect(dead?.ttlMs).toBe(-2);
    expect(await store.leave({ id: 'a', isOnlyIfDead: true })).toEqual({ isAccepted: false });
    expect(await store.leave({ id: 'b', isOnlyIfDead: true })).toEqual({ isAccepted: true });
    expect(await store.leave({ id: 'a', isOnlyIfDead: false })).toEqual({ isAccepted: true });
    expect((await store.beat(beatOf('a'))).members).toEqual([]);
  });

  test('a beat takes what lives too long down to its time', async () => {
    await using made = await fresh();
    const { store } = made;
    await store.join(joinOf('a'));
    await store.join(joinOf('b', { ttlMs: 3_600_000 }));
    const found = (await store.beat(beatOf('a'))).members.find(({ id }) => id === 'b');
    expect(found?.ttlMs).toBeLessThanOrEqual(10_000);
  });

  test('above 512 members a beat lists one slice', async () => {
    await using made = await fresh();
    const { store } = made;
    const ids = Array.from({ length: 600 }, (_, index) => `i${String(index).padStart(4, '0')}`);
    await Promise.all(ids.map((id) => store.join(joinOf(id))));
    const slices = await Promise.all([0, 1, 2].map((slice) => store.beat(beatOf('i0000', { slice }))));
    expect(slices.map(({ memberCount }) => memberCount)).toEqual([600, 600, 600]);
    const listed = slices.map(({ members }) => members.map(({ id }) => id));
    expect(listed).toEqual([ids.slice(0, 512), ids.slice(512), ids.slice(0, 512)]);
  });

  test('writes are announced by their numbers, once the store listens', async () => {
    await using made = await fresh();
    const { store } = made;
    const hints: Hint[] = [];
    const stop = store.onHint((hint) => hints.push(hint));
    const lease = await store.lease({ owner: 'a#1', ttlMs: 15_000, floor: 0 });
    if (lease === undefined) throw new Error('no lease');
    let number = 0;
    await expect
      .poll(async () => {
        const expected = number++;
        await store.override({ expected, generation: number, value: bytes('o'), ttlMs: 60_000 });
        await store.plan({ ...lease, expected, number, pages: [bytes('p')], ttlMs: 60_000 });
        return hints.length;
      })
      .toBeGreaterThanOrEqual(2);
    stop();
    expect(new Set(hints.map(({ kind }) => kind))).toEqual(new Set(['override', 'plan']));
    for (const hint of hints) expect(hint.number).toBeLessThanOrEqual(number);
  });
}
