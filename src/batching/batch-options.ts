import {
  boolean,
  type Fields,
  fn,
  integer,
  milliseconds,
  oneOf,
  parseOptions,
} from '../validation/fields.ts';
import type { BatchMode } from './window.ts';

/** Options of `batch()`. */
export interface BatchOptions<I = unknown> {
  /** Maximum number of items in a batch, or their total weight with `sizeOf`. Default 10. */
  maxBatchSize?: number;
  /** Time for which the first item waits for others, in ms; 0 = it does not wait. Default 10. */
  batchWaitTimeoutMs?: number;
  /** Batches that run at a time; more than 1 helps only if the function awaits while it runs. Default 1. */
  maxConcurrentBatches?: number;
  /** Returns the weight of an item. Default: 1 for each. */
  sizeOf?: (item: I) => number;
  /** `'fixed'` (default) waits for `batchWaitTimeoutMs`; `'adaptive'` waits only for callers that are about to call again. */
  mode?: BatchMode;
  /**
   * When the function throws, halve the batch until the item that makes it throw is alone, so that the others get their
   * results. Costs at most 2·log2(n) more runs per such item. Only for functions that may run twice. Default false.
   */
  bisectOnError?: boolean;
}

export type ResolvedBatchOptions<I> = Required<Omit<BatchOptions<I>, 'sizeOf'>> & {
  sizeOf: ((item: I) => number) | undefined;
};

const FIELDS: Fields<BatchOptions> = {
  maxBatchSize: integer(1),
  batchWaitTimeoutMs: milliseconds(),
  maxConcurrentBatches: integer(1),
  sizeOf: fn(),
  mode: oneOf('fixed', 'adaptive'),
  bisectOnError: boolean(),
};

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parseBatchOptions<I>(options: unknown): ResolvedBatchOptions<I> {
  const parsed = parseOptions<BatchOptions>(options, FIELDS, 'batch');
  return {
    maxBatchSize: parsed.maxBatchSize ?? 10,
    batchWaitTimeoutMs: parsed.batchWaitTimeoutMs ?? 10,
    maxConcurrentBatches: parsed.maxConcurrentBatches ?? 1,
    sizeOf: parsed.sizeOf as ((item: I) => number) | undefined,
    mode: parsed.mode ?? 'fixed',
    bisectOnError: parsed.bisectOnError ?? false,
  };
}

export function parseBatchSize(value: unknown): number {
  return FIELDS.maxBatchSize.parse(value, 'batch.maxBatchSize');
}

export function parseBatchWait(value: unknown): number {
  return FIELDS.batchWaitTimeoutMs.parse(value, 'batch.batchWaitTimeoutMs');
}
