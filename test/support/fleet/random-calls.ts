import fc from 'fast-check';
import type { FleetStore, StoreOperation, StoreOperations } from '../../../src/cluster/fleet-store.ts';
import { beatOf, joinOf } from './fleet-store-suite.ts';

/** One call of a store. */
export interface RandomCall {
  readonly operation: StoreOperation;
  readonly request: StoreOperations[StoreOperation]['request'];
}

/** Carries a call out. */
export async function carryOut(
  store: FleetStore,
  operation: StoreOperation,
  request: RandomCall['request'],
): Promise<unknown> {
  const method = store[operation] as (request: RandomCall['request']) => Promise<unknown>;
  return method.call(store, request);
}

/** Random calls; times of day differ between two stores, so all numbers begin at a base that is ahead of both. */
export function randomCalls(): fc.Arbitrary<(base: number) => RandomCall> {
  const id = fc.constantFrom('a', 'b', 'c');
  const owner = fc.constantFrom('a#1', 'b#1', 'b#2');
  const small = fc.integer({ min: 1, max: 5 });
  const value = fc.uint8Array({ minLength: 1, maxLength: 12 });
  const made = <T extends readonly unknown[]>(
    parts: { [I in keyof T]: fc.Arbitrary<T[I]> },
    make: (base: number, ...parts: T) => RandomCall,
  ) =>
    fc
      .tuple(...(parts as fc.Arbitrary<unknown>[]))
      .map((found) => (base: number) => make(base, ...(found as unknown as T)));
  return fc.oneof(
    made<[string, number, Uint8Array]>([id, small, value], (base, name, version, record) => ({
      operation: 'join',
      request: joinOf(name, {
        record,
        revision: `r${version}`,
        version: `v${version}`,
        versions: { first: base, [`v${version % 3}`]: base + version },
      }),
    })),
    made<[string, string, number, string]>(
      [id, owner, small, fc.constantFrom('a', 'x')],
      (base, name, holder, token, declarationHash) => ({
        operation: 'beat',
        request: beatOf(name, { declarationHash, lease: { owner: holder, token: base + token } }),
      }),
    ),
    made<[string, number, number]>(
      [owner, fc.constantFrom(0, 15_000, 15_000), small],
      (base, holder, ttlMs, floor) => ({
        operation: 'lease',
        request: { owner: holder, ttlMs, floor: base + floor },
      }),
    ),
    made<[number, number, Uint8Array]>(
      [fc.nat(5), small, value],
      (_base, expected, generation, document) => ({
        operation: 'override',
        request: { expected, generation, value: document, ttlMs: 60_000 },
      }),
    ),
    made<[string, number, number, number, Uint8Array[]]>(
      [owner, small, fc.nat(5), small, fc.array(value, { minLength: 1, maxLength: 3 })],
      (base, holder, token, expected, number, pages) => ({
        operation: 'plan',
        request: { owner: holder, token: base + token, expected, number, pages, ttlMs: 60_000 },
      }),
    ),
    made<[boolean, boolean, boolean]>(
      [fc.boolean(), fc.boolean(), fc.boolean()],
      (_base, overrides, plan, versions) => ({
        operation: 'read',
        request: { members: ['a', 'b', 'c'], declarations: ['a', 'x'], overrides, plan, versions },
      }),
    ),
    made<[string, boolean]>([id, fc.boolean()], (_base, name, isOnlyIfDead) => ({
      operation: 'leave',
      request: { id: name, isOnlyIfDead },
    })),
  );
}

/** An answer without what the clock decides; bytes as text. */
export function plainAnswer(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer ?? null, (key, value: unknown) => {
      if (key === 'ttlMs') return (value as number) > 0;
      return ArrayBuffer.isView(value)
        ? Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')
        : value;
    }).replaceAll(/\{"type":"Buffer","data":\[([\d,]*)\]\}/g, (_, list: string) =>
      JSON.stringify(Buffer.from(list === '' ? [] : list.split(',').map(Number)).toString('hex')),
    ),
  );
}
