import { BATCHED } from './batch.ts';
import type { ResolvedBatchOptions } from './batch-options.ts';

/** What a replica knows of its options that bears on its batches. */
export interface BatchSurroundings {
  readonly maxOngoingRequests: number;
  readonly idempotent: boolean | readonly string[];
}

/** @returns how many calls may wait for a batch while another one runs: as many as fit; 0 without batched methods */
export function batchRoom(methods: ReadonlyMap<string, unknown>): () => number {
  // A method may change its own options.
  const all: ResolvedBatchOptions<never>[] = [];
  for (const method of methods.values())
    if (typeof method === 'function' && BATCHED in method)
      all.push(method[BATCHED] as ResolvedBatchOptions<never>);
  if (all.length === 0) return () => 0;
  return () =>
    Math.max(...all.map(({ maxBatchSize, maxConcurrentBatches }) => maxBatchSize * maxConcurrentBatches));
}

/**
 * What should be set otherwise: a replica takes fewer calls at a time than its batches hold (unless items have weights), or
 * runs items again though nobody said that they may run twice.
 *
 * @param methods remote methods by name
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
      yield `${name}: bisectOnError runs items again that ran before: say that they may, with idempotent: ['${name}']`;
  }
}
