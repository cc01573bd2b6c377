/**
 * The share of the calls whose model is there when one cache of all slots, least recently used out first, serves them in
 * the order of their arrival.
 *
 * @param fromIndex calls before this one only fill the cache
 */
export function pooledLruHitRate(models: readonly number[], slots: number, fromIndex: number): number {
  const cache = new Set<number>();
  let hits = 0;
  for (const [index, model] of models.entries()) {
    const isHit = cache.delete(model);
    if (isHit && index >= fromIndex) hits++;
    cache.add(model);
    const [oldest] = cache;
    if (cache.size > slots && oldest !== undefined) cache.delete(oldest);
  }
  return hits / (models.length - fromIndex);
}
