import { BATCHED } from './batch.ts';
import type { ResolvedBatchOptions } from './options.ts';

/**
 * What stands in the way of full batches: a replica that takes fewer calls at a time than its batches hold. Undefined
 * if nothing does, or if items have weights.
 *
 * @param methods remote methods by name
 */
export function batchAdvice(
  methods: ReadonlyMap<string, unknown>,
  maxOngoingRequests: number,
): string | undefined {
  for (const [name, method] of methods) {
    if (typeof method !== 'function' || !(BATCHED in method)) continue;
    const { maxBatchSize, maxConcurrentBatches, sizeOf } = method[BATCHED] as ResolvedBatchOptions<never>;
    const wanted = maxBatchSize * maxConcurrentBatches;
    if (sizeOf !== undefined || wanted <= maxOngoingRequests) continue;
    return (
      `${name}: batches will not fill up: maxOngoingRequests is ${maxOngoingRequests}, less than maxBatchSize × ` +
      `maxConcurrentBatches (${maxBatchSize} × ${maxConcurrentBatches} = ${wanted})`
    );
  }
  return undefined;
}
