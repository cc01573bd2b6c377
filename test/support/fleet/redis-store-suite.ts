import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { memoryFleetStore } from '../../../src/cluster/memory-fleet-store.ts';
import { openRedis, type RedisClient } from '../../../src/cluster/redis/client.ts';
import type { Ioredis } from '../../../src/cluster/redis/connections.ts';
import { FleetKeys } from '../../../src/cluster/redis/keys.ts';
import { RedisFleetStore } from '../../../src/cluster/redis/redis-store.ts';
import type { RedisSettings } from '../../../src/cluster/redis/settings.ts';
import { type FreshStore, fleetStoreConformance } from './fleet-store-suite.ts';
import { carryOut, plainAnswer, randomCalls } from './random-calls.ts';

const HOUR_MS = 3_600_000;
const SEED = 15;
let fleets = 0;

/** Keys of a fleet that nothing was written to. */
export function freshKeys(): FleetKeys {
  return new FleetKeys(`fleet-${process.pid}-${++fleets}`);
}

function freshStore(client: RedisClient, close: () => void): FreshStore {
  return {
    store: new RedisFleetStore(client, freshKeys()),
    async [Symbol.asyncDispose]() {
      close();
    },
  };
}

/** The majors of ioredis that may be installed. */
export const MAJORS: Readonly<Record<'5' | '6', () => Promise<Ioredis>>> = {
  5: () => import('ioredis'),
  // The types of the two are not the same, but what is used of them is.
  6: async () => (await import('ioredis-6')) as unknown as Ioredis,
};

/** Time limit of commands and connections where a machine that stalls must not make a command fail, in ms. */
const PATIENT_MS = 60_000;

/** The options of a connection, with more time for each command. Anything else stays as it is. */
function patientOptions(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const { redisOptions } = given as { redisOptions?: unknown };
  if (redisOptions !== undefined)
    return { ...given, slotsRefreshTimeout: PATIENT_MS, redisOptions: patientOptions(redisOptions) };
  return { ...given, commandTimeout: PATIENT_MS, connectTimeout: PATIENT_MS };
}

/** The same module, whose connections wait longer for answers than those of a fleet. */
function patient({ Redis, Cluster }: Ioredis): Ioredis {
  const construct = (target: object, args: unknown[]): object =>
    Reflect.construct(target as new () => object, args.map(patientOptions)) as object;
  return {
    Redis: new Proxy<typeof Redis>(Redis, { construct }),
    Cluster: new Proxy<typeof Cluster>(Cluster, { construct }),
  };
}

/** What a store on Redis does, by either major of ioredis. @param settings read when the servers run */
export function redisStoreConformance(settings: () => RedisSettings): void {
  describe.each(['5', '6'] as const)('by ioredis %s', (major) => {
    const open = (): Promise<RedisClient> =>
      openRedis(settings(), async () => patient(await MAJORS[major]()));

    fleetStoreConformance(async () => {
      const client = await open();
      return freshStore(client, () => client.close());
    });

    test('the same random calls have the same answers as in memory', async () => {
      const client = await open();
      const property = fc.asyncProperty(
        fc.array(randomCalls(), { minLength: 1, maxLength: 40 }),
        async (calls) => {
          const base = Date.now() + HOUR_MS;
          const real = new RedisFleetStore(client, freshKeys());
          const model = memoryFleetStore();
          for (const make of calls) {
            const { operation, request } = make(base);
            const answer = await carryOut(real, operation, request);
            expect(plainAnswer(answer)).toEqual(plainAnswer(await carryOut(model, operation, request)));
          }
        },
      );
      await fc.assert(property, { numRuns: 60, seed: SEED });
      client.close();
    });
  });
}
