/** Names of this package's secrets: whoever reads them could join the fleet, or administer this instance. */
const SECRET = /^INSERVE_(?:.*SECRET|.*_TOKEN|TOKEN|.*REDIS_URL)$/i;

/** An environment without the secrets of this package, for code that needs none of them. */
export function withoutSecrets(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !SECRET.test(name)));
}

/**
 * The devices of a replica as native code of its own process numbers them. `CUDA_VISIBLE_DEVICES` hides all others from that
 * process, so they count from 0 there.
 */
export function gpusInChild(gpus: readonly number[]): readonly number[] {
  return gpus.map((_gpu, index) => index);
}
