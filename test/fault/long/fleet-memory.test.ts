import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DeploymentHandle, ServeError, transfer } from '../../../src/index.ts';
import { type ChaosProxy, chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import { seededRandom } from '../../../src/testing/random.ts';
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

/** Time limit where threads start and links come back, on a busy machine. */
const LIMIT_MS = 180_000;
const CALLS = 150;
const AT_ONCE = 16;

/** How calls may end while connections break and callers give up. */
const ENDINGS = ['ok', 'SERVE_REPLICA_DIED', 'SERVE_TIMEOUT', 'SERVE_CANCELLED', 'SERVE_UNAVAILABLE'];

/** Makes a call with memory of its own, and tells whether what came back is right. */
type Kind = (handle: DeploymentHandle<Keeper>, seed: number, length: number, ms: number) => Promise<boolean>;

const KINDS: readonly Kind[] = [
  async (handle, seed, length, ms) => {
    const own = pattern(seed, length);
    const part = own.subarray(0, length >> 1);
    const response = handle.echo.remote([own, part, Buffer.from('pooled')], ms) as Promise<Uint8Array[]>;
    const [back, other, few] = await response.finally(() => {
      // The caller keeps its memory, however the call ends.
      if (!isPattern(own, seed, length)) throw new Error('the caller lost its memory');
    });
    return (
      isPattern(back as Uint8Array, seed, length) &&
      Buffer.compare(other ?? own, part) === 0 &&
      `${few}` === 'pooled'
    );
  },
  async (handle, seed, length, ms) => {
    const own = pattern(seed, length);
    return isPattern((await handle.echo.remote(transfer(own, [own.buffer]), ms)) as typeof own, seed, length);
  },
  async (handle, seed, length, ms) =>
    isPattern((await handle.echoAgain.remote(pattern(seed, length), ms)) as Uint8Array, seed, length),
  async (handle, seed) => {
    const [key, length] = [`key ${seed % 20}`, 300_000 + (seed % 20)];
    const keyed = handle.options({ idempotencyKey: key });
    return isPattern(
      (await keyed.echo.remote(pattern(seed % 20, length), 5)) as Uint8Array,
      seed % 20,
      length,
    );
  },
  async (handle, seed, length) => {
    const all = await handle.broadcast('echo', pattern(seed, length));
    return all.every((bytes) => isPattern(bytes as Uint8Array, seed, length));
  },
  async (handle, _, length) => {
    let at = 0;
    for await (const chunk of handle.rewritten.remote(5, length))
      if (Buffer.compare(chunk, Buffer.alloc(length, at++)) !== 0) return false;
    return at === 5;
  },
  async (handle) => isPattern(await handle.kept.remote(), 1, KEPT_BYTES),
  async (handle, seed) =>
    Buffer.compare(await handle.partOfBatch.remote(seed % 256), Buffer.alloc(PART_BYTES, seed % 256)) === 0,
];

describe.each([{ trustNetwork: true }, { trustNetwork: false }])(
  'memory that crosses bad networks, with %j,',
  (security) => {
    const resources = new AsyncDisposableStack();
    const proxies: ChaosProxy[] = [];
    const hosts: FleetInstance[] = [];
    let handle: DeploymentHandle<Keeper>;
    let front: DeploymentHandle<KeeperFront>;

    beforeAll(async () => {
      for (const numReplicas of [2, 1]) {
        const host = resources.use(await fleetInstance(security));
        hosts.push(host);
        await host.serve.run(keeper.options({ numReplicas }).bind(), { name: 'keeper' });
        const { port } = await host.fleet.address;
        proxies.push(resources.use(await chaosProxy({ targetPort: port, seed: numReplicas })));
      }
      const peers = proxies.map(({ host, port }) => ({ host, port }));
      const caller = resources.use(await fleetInstance({ ...security, peers }));
      front = (await caller.serve.run(keeperFront.bind(), {
        name: 'front',
      })) as DeploymentHandle<KeeperFront>;
      handle = caller.serve.handle<Keeper>('keeper');
      await allReached();
    }, LIMIT_MS);

    afterAll(() => resources.disposeAsync());

    async function allReached(): Promise<void> {
      await eventually(async () => (await handle.broadcast('kept').catch(() => [])).length === 3, LIMIT_MS);
    }

    test.each([1, 2])(
      'arrives whole or not at all, and no call is left behind: seed %d',
      async (runSeed) => {
        const random = seededRandom(runSeed);
        const between = (from: number, to: number): number => Math.floor(from + random() * (to - from));
        const endings: Record<string, number> = {};
        const wrong: string[] = [];
        const one = async (seed: number): Promise<void> => {
          const kind = KINDS[between(0, KINDS.length)] as Kind;
          const length = random() < 0.2 ? between(0, 1_000) : between(60_000, 1_500_000);
          const controller = new AbortController();
          const timeoutMs = random() < 0.2 ? between(1, 200) : 30_000;
          if (random() < 0.2) setTimeout(() => controller.abort(), between(0, 60));
          const called = handle.options({ timeoutMs, signal: controller.signal });
          let ending = 'ok';
          try {
            const ms = random() < 0.5 ? 0 : between(0, 30);
            if (!(await kind(called, seed, length, ms))) wrong.push(`call ${seed}: other bytes`);
          } catch (error) {
            ending = error instanceof ServeError ? error.code : String(error);
          }
          endings[ending] = (endings[ending] ?? 0) + 1;
        };
        let made = 0;
        const many = async (): Promise<void> => {
          while (made < CALLS) await one(made++);
        };
        const calls = Promise.all(Array.from({ length: AT_ONCE }, many));
        let isOver = false;
        const faults = async (): Promise<void> => {
          for (; !isOver; await new Promise((resolve) => setTimeout(resolve, between(10, 250)))) {
            const proxy = proxies[between(0, proxies.length)] as ChaosProxy;
            const fault = between(0, 6);
            if (fault === 0) proxy.reset();
            else if (fault === 1) proxy.set({ sliceBytes: between(1_000, 70_000) });
            else if (fault === 2) proxy.set({ bytesPerSecond: between(2_000_000, 50_000_000) });
            else if (fault === 3) proxy.set({ resetAfterBytes: between(1_000, 5_000_000) });
            else if (fault === 4) proxy.set({ latencyMs: between(0, 20), jitterMs: 5 });
            else proxy.heal();
          }
          for (const proxy of proxies) proxy.heal();
        };
        const relayed = async (): Promise<void> => {
          while (!isOver) {
            const isWhole = await front.giveAll.remote(20, between(500, 300_000)).catch(() => true);
            if (!isWhole) wrong.push('a call of a replica: other bytes');
          }
        };
        const others = [faults(), relayed()];
        await calls;
        isOver = true;
        await Promise.all(others);
        expect(wrong).toEqual([]);
        for (const ending of Object.keys(endings)) expect(ENDINGS).toContain(ending);
        expect(endings['ok']).toBeGreaterThan(10);
        await allReached();
        await eventually(
          () =>
            hosts.every(({ serve }) => {
              const { queued, replicas = [] } = serve.status().apps['keeper']?.deployments['Keeper'] ?? {};
              return queued === 0 && replicas.every(({ ongoing }) => ongoing === 0);
            }),
          LIMIT_MS,
        );
      },
      LIMIT_MS,
    );
  },
);
