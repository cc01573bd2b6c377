import { FLEET_TIMING, type FleetTiming } from '../../../src/cluster/node/timing.ts';
import type { ServeOptions } from '../../../src/index.ts';
import { type FleetInstance, fleetInstance } from './instances.ts';
import { RedisServer } from './redis-server.ts';

/** All times of the protocol at a fifth, but for those that bound what an idle machine does. */
export const TEST_TIMING: FleetTiming = {
  ...FLEET_TIMING,
  beatMs: 400,
  recordTtlMs: 3_000,
  leaseTtlMs: 3_000,
  leaseHoldMs: 2_000,
  deadMs: 3_000,
  refusedDeadMs: 1_500,
  settleMs: 200,
  aloneMs: 3_000,
  removalDelayMs: 3_000,
  removalStepMs: 200,
  versionForgetMs: 12_000,
  matureMs: 6_000,
  barredMs: 12_000,
  moveEveryMs: 500,
  moveQuietMs: 1_000,
  commandMs: 2_000,
};

let fleets = 0;

/** A fleet of instances in this process, with a Redis of its own. */
export class RedisFleet implements AsyncDisposable {
  readonly redis: RedisServer;
  readonly #name = `fleet-${++fleets}`;
  readonly #instances = new Set<FleetInstance>();

  private constructor(redis: RedisServer) {
    this.redis = redis;
  }

  static async start(): Promise<RedisFleet> {
    return new RedisFleet(await RedisServer.start());
  }

  /** Makes one more instance, which runs nothing yet. */
  async add(options: ServeOptions = {}, timing: FleetTiming = TEST_TIMING): Promise<FleetInstance> {
    const membership = { redis: { url: this.redis.url }, zone: '', timing };
    const instance = await fleetInstance({ name: this.#name, membership }, options);
    this.#instances.add(instance);
    return instance;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#instances].map(({ serve }) => serve.close({ timeoutMs: 500 })));
    await this.redis[Symbol.asyncDispose]();
  }
}
