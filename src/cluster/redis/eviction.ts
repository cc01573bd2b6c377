import type { RedisClient } from './client.ts';
import type { FleetKeys } from './keys.ts';
import { POLICY } from './scripts.ts';

const SAFE = 'noeviction';

/**
 * Asks for the policy by which Redis evicts keys when its memory is full.
 *
 * @returns what to do, if the keys of the fleet may be evicted; undefined if they may not, or if the user of Redis must not ask
 * @throws FleetStoreError
 */
export async function evictionAdvice(client: RedisClient, keys: FleetKeys): Promise<string | undefined> {
  const answer = await client.run(POLICY, [keys.lease], []);
  const policy = Buffer.isBuffer(answer) ? answer.toString() : '';
  if (policy === '' || policy === SAFE) return undefined;
  return (
    `Redis may evict the keys of the fleet, since its maxmemory-policy is ${policy}: ` +
    `set 'maxmemory-policy ${SAFE}' in redis.conf, or use a Redis of its own for the fleet`
  );
}

/** Looks at the policy whenever Redis comes, since another server may have taken over, and gives its advice once. */
export class EvictionCheck {
  readonly #client: RedisClient;
  readonly #keys: FleetKeys;
  readonly #advise: (advice: string) => void;
  #isUp = false;
  #isDone = false;

  constructor(client: RedisClient, keys: FleetKeys, advise: (advice: string) => void) {
    this.#client = client;
    this.#keys = keys;
    this.#advise = advise;
  }

  /** @param isUp whether Redis answers */
  see(isUp: boolean): void {
    const hasCome = isUp && !this.#isUp;
    this.#isUp = isUp;
    if (hasCome && !this.#isDone) void this.#look();
  }

  async #look(): Promise<void> {
    // An answer that does not come is looked for again when Redis does.
    const advice = await evictionAdvice(this.#client, this.#keys).catch(() => undefined);
    if (advice === undefined || this.#isDone) return;
    this.#isDone = true;
    this.#advise(advice);
  }
}
