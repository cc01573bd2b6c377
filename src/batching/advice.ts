import { BATCHED } from './batch.ts';
import type { ResolvedBatchOptions } from './batch-options.ts';

/** The options of a replica that affect its batches. */
export interface BatchSurroundings {
  readonly maxOngoingRequests: number;
  readonly idempotent: boolean | readonly string[];
}

/** @returns the number of calls that may wait for a batch while another one runs: one full batch; 0 without batched methods */
export function batchRoom(methods: ReadonlyMap<string, unknown>): () => number {
  // Kept as objects, because a method may change its own options.
  const all: ResolvedBatchOptions<never>[] = [];
  for (const method of methods.values())
    if (typeof method === 'function' && BATCHED in method)
      all.push(method[BATCHED] as ResolvedBatchOptions<never>);
  if (all.length === 0) return () => 0;
  return () =>
    Math.max(...all.map(({ maxBatchSize, maxConcurrentBatches }) => maxBatchSize * maxConcurrentBatches));
}

/**
 * Warns of options that do not fit together: a replica takes fewer calls at a time than its batches hold (unless items have
 * weights), or it runs items again that are not declared idempotent.
 *
 * @param methods the remote methods by name
 */
export function* batchAdvice(
  methods: ReadonlyMap<string, unknown>,
  { maxOngoingRequests, idempotent }: BatchSurroundings,
): Generator<string> {
  for (const [name, method] of methods) {
    if (typeof method !== 'function' || !(BATCHED in method)) continue;
    const options = method[BATCHED] as ResolvedBatchOptions<never>;
    const { maxBatchSize, maxConcurrentBatches, sizeOf, bisectOnError } = options;
    const wanted = maxBatchSize * maxConcurrentBatches;
    if (sizeOf === undefined && wanted > maxOngoingRequests) {
      yield `${name}: batches will not fill up: maxOngoingRequests is ${maxOngoingRequests}, less than maxBatchSize × ` +
        `maxConcurrentBatches (${maxBatchSize} × ${maxConcurrentBatches} = ${wanted})`;
    }
    const mayRepeat = typeof idempotent === 'boolean' ? idempotent : idempotent.includes(name);
    if (bisectOnError && !mayRepeat)
      yield `${name}: bisectOnError may run an item twice: declare that this is safe with idempotent: ['${name}']`;
  }
}
