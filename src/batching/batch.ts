import { types } from 'node:util';
import { invalidOption } from '../errors.ts';
import { loop } from '../time/loop.ts';
import { isInstance } from '../validation/peek.ts';
import { BatchError } from './batch-error.ts';
import type { BatchItem } from './batch-item.ts';
import {
  type BatchOptions,
  parseBatchOptions,
  parseBatchSize,
  parseBatchWait,
  type ResolvedBatchOptions,
} from './batch-options.ts';
import { BatchQueue, type BatchRecord } from './batch-queue.ts';
import { ResultCaller, StreamCaller } from './item-callers.ts';

/** A function of one item, whose calls run together in batches. */
export interface Batched<I, R> {
  (item: I): R;
  /** Changes `maxBatchSize` from the next batch on. @throws ServeError `SERVE_INVALID_OPTION` */
  setMaxBatchSize(size: number): void;
  /** Changes `batchWaitTimeoutMs` from the next batch on. @throws ServeError `SERVE_INVALID_OPTION` */
  setBatchWaitTimeoutMs(ms: number): void;
}

/** @typeParam _Hint text that the compiler shows for another function */
type BatchFunction<I, O, _Hint extends string = 'takes a list, returns a list of the same length'> = (
  items: I[],
) => Promise<readonly O[]> | readonly O[];
type BatchGenerator<I, O> = (items: I[]) => AsyncGenerator<readonly (O | typeof END_OF_STREAM)[], unknown>;

/** Takes the place of an item's next value to end the stream of that item. */
export const END_OF_STREAM: unique symbol = Symbol.for('inserve.endOfStream');

/** The key under which a batched function has its options, and by which it is recognized. */
export const BATCHED: unique symbol = Symbol.for('inserve.batched');

type BatchListener = (name: string, record: BatchRecord) => void;

const listeners = new Set<BatchListener>();

/**
 * @internal Calls the listener for each batch of this thread, for the replica or the instances that count them.
 * @returns a function that removes the listener
 */
export function observeBatches(listener: BatchListener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/**
 * Runs calls of single items together. `fn` takes a list and returns a list of results of the same length. If it is an async
 * generator it yields such lists, and each caller gets an `AsyncIterable` of its own values.
 *
 * Use it as a field of a class, so that each instance has a queue of its own, or as a deployment's function:
 * `predict = batch({ maxBatchSize: 16 }, async (inputs: Tensor[]) => this.#model.run(inputs))`.
 *
 * All items of a batch have the same tenant and multiplexed model; `context().items` are the contexts of the callers.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` when it is made, for wrong options
 */
export function batch<I, O>(options: BatchOptions<I>, fn: BatchGenerator<I, O>): Batched<I, AsyncIterable<O>>;
export function batch<I, O>(options: BatchOptions<I>, fn: BatchFunction<I, O>): Batched<I, Promise<O>>;
export function batch<I, O>(
  options: BatchOptions<I>,
  fn: BatchFunction<I, O> | BatchGenerator<I, O>,
): Batched<I, Promise<O> | AsyncIterable<O>> {
  if (typeof fn !== 'function') throw invalidOption('batch(options, fn)', fn, 'a function of a list');
  const resolved = parseBatchOptions<I>(options);
  const isStream = types.isGeneratorFunction(fn);
  const run = isStream
    ? (self: unknown, items: BatchItem<I, O>[]) => runStream(fn as BatchGenerator<I, O>, self, items)
    : (self: unknown, items: BatchItem<I, O>[]) =>
        runUnary(fn as BatchFunction<I, O>, self, items, resolved.bisectOnError);
  const queue = new BatchQueue<I, O>(
    resolved,
    run,
    (record) => {
      for (const listener of listeners) listener(batched.name, record);
    },
    () => batched.name,
  );
  const batched = isStream
    ? function (this: unknown, item: I): AsyncIterable<O> {
        return addStreaming(queue, this, item);
      }
    : function (this: unknown, item: I): Promise<O> {
        return new Promise<O>((resolve, reject) => {
          queue.add(this, item, new ResultCaller<O>(resolve, reject));
        });
      };
  return Object.assign(batched, {
    [BATCHED]: resolved as ResolvedBatchOptions<never>,
    setMaxBatchSize: (size: number) => {
      resolved.maxBatchSize = parseBatchSize(size);
      queue.reconsider();
    },
    setBatchWaitTimeoutMs: (ms: number) => {
      resolved.batchWaitTimeoutMs = parseBatchWait(ms);
      queue.reconsider();
    },
  });
}

function addStreaming<I, O>(queue: BatchQueue<I, O>, self: unknown, item: I): AsyncIterable<O> {
  const caller = new StreamCaller<I, O>();
  caller.item = queue.add(self, item, caller);
  return caller.reader as AsyncIterable<O>;
}

async function runUnary<I, O>(
  fn: BatchFunction<I, O>,
  self: unknown,
  items: BatchItem<I, O>[],
  bisect: boolean,
): Promise<void> {
  const failure = await attempt(fn, self, items);
  if (failure === undefined) return;
  if (bisect) await bisectItems(fn, self, items, failure.error);
  else for (const item of items) item.fail(failure.error);
}

/** Runs the function once. If it throws, returns the error and fails no item. */
async function attempt<I, O>(
  fn: BatchFunction<I, O>,
  self: unknown,
  items: readonly BatchItem<I, O>[],
): Promise<{ readonly error: unknown } | undefined> {
  let results: readonly O[];
  let wrong: TypeError | undefined;
  try {
    const given = await fn.call(
      self,
      items.map(({ value }) => value),
    );
    wrong = wrongLength(given, items.length);
    // Copied, because the list may be a Proxy whose traps throw.
    results = wrong === undefined ? given.slice() : [];
  } catch (error) {
    return { error };
  }
  for (const [index, item] of items.entries()) {
    const result: unknown = wrong ?? results[index];
    if (isInstance(result, BatchError)) item.fail(result.error);
    else if (wrong !== undefined) item.fail(wrong);
    else item.resolve(result as O);
  }
  return undefined;
}

/**
 * Halves a batch that made the function throw until the items that do so are alone. The smaller half is tried first: if it
 * succeeds the larger one holds the culprit, and is halved without being run as a whole. One poison item among n therefore
 * costs at most 2·log₂(n) runs for any n: W(n) = max(1 + W(⌈n/2⌉), 2 + W(⌊n/2⌋)), with W(1) = 1 if it has not run alone.
 */
async function bisectItems<I, O>(
  fn: BatchFunction<I, O>,
  self: unknown,
  items: readonly BatchItem<I, O>[],
  error: unknown,
): Promise<void> {
  if (items.length === 1) {
    items[0]?.fail(error);
    return;
  }
  // An item whose caller has left is not run again, and may have been the culprit.
  const open = items.filter(({ isSettled }) => !isSettled);
  const isComplete = open.length === items.length;
  const middle = Math.floor(open.length / 2);
  const [smaller, larger] = [open.slice(0, middle), open.slice(middle)];
  const hasFailed = smaller.length > 0 && (await tryItems(fn, self, smaller));
  if (isComplete && !hasFailed && larger.length > 1) await bisectItems(fn, self, larger, error);
  else if (larger.length > 0) await tryItems(fn, self, larger);
}

/** Runs items, and halves them if the function throws. @returns whether it threw */
async function tryItems<I, O>(
  fn: BatchFunction<I, O>,
  self: unknown,
  items: readonly BatchItem<I, O>[],
): Promise<boolean> {
  const failure = await attempt(fn, self, items);
  if (failure !== undefined) await bisectItems(fn, self, items, failure.error);
  return failure !== undefined;
}

/**
 * Runs a generator. Each yielded list has one value per item; `END_OF_STREAM` ends the stream of its item. The generator runs
 * at most `MAX_AHEAD` values ahead of the slowest reader, so that it does not fill the replica's memory.
 */
async function runStream<I, O>(
  fn: BatchGenerator<I, O>,
  self: unknown,
  items: BatchItem<I, O>[],
): Promise<void> {
  try {
    for await (const values of fn.call(
      self,
      items.map(({ value }) => value),
    )) {
      const wrong = wrongLength(values, items.length);
      if (wrong !== undefined) throw wrong;
      for (const [index, item] of items.entries()) {
        const value: unknown = values[index];
        if (isInstance(value, BatchError)) item.fail(value.error);
        else if (value === END_OF_STREAM) item.end();
        else item.next(value as O);
      }
      if (items.every(({ isSettled }) => isSettled)) return;
      for (const item of items) await item.room();
      const turned = loop.yield();
      if (turned !== undefined) await turned;
    }
    for (const item of items) item.end();
  } catch (error) {
    for (const item of items) item.fail(error);
  }
}

function wrongLength(results: unknown, expected: number): TypeError | undefined {
  if (Array.isArray(results) && results.length === expected) return undefined;
  const got = Array.isArray(results) ? `a list of ${results.length}` : typeof results;
  return new TypeError(
    `a batched function must return one result per item: ${expected} items came in, ${got} out`,
  );
}
