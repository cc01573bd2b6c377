import { WHOLE } from '../deployment/options/resource-units.ts';

/**
 * Picks the gpus of a replica, by index: a fraction shares the fullest device with enough room, so that whole devices stay
 * free; whole gpus are exclusive.
 *
 * @param free remaining amount of each device
 * @returns undefined if the replica does not fit
 */
export function pickGpus(need: number, free: readonly number[]): readonly number[] | undefined {
  if (need === 0) return [];
  if (need >= WHOLE) {
    const whole = free.flatMap((left, index) => (left === WHOLE ? [index] : []));
    const count = need / WHOLE;
    return whole.length >= count ? whole.slice(0, count) : undefined;
  }
  let best: number | undefined;
  for (const [index, left] of free.entries()) {
    if (left >= need && (best === undefined || left < (free[best] as number))) best = index;
  }
  return best === undefined ? undefined : [best];
}
