import { ServeError } from '../errors.ts';
import { callScope } from '../handle/call/scope.ts';
import { now, type Timer, time } from '../time/clock.ts';
import { inRootContext } from '../time/root-context.ts';
import { batchTraces, traceBatch } from '../tracing/channels.ts';
import { Arrivals } from './arrivals.ts';
import { BatchItem, type ItemCaller } from './batch-item.ts';
import type { ResolvedBatchOptions } from './batch-options.ts';
import { BatchScope } from './batch-scope.ts';
import { CostModel } from './cost-model.ts';
import { HeldLoop } from './held-loop.ts';
import { startTime } from './window.ts';

/** Runs one batch; every item is settled when it resolves. Never rejects. */
export type RunBatch<I, O> = (self: unknown, items: BatchItem<I, O>[]) => Promise<void>;

/** A finished batch, for the metrics. */
export interface BatchRecord {
  /** The app of the batch; empty outside a call. The thread of an inline replica belongs to another replica or the host. */
  readonly app: string;
  readonly deployment: string;
  readonly replica: string;
  readonly size: number;
  /** The time that the oldest item waited, in ms. */
  readonly waitMs: number;
  readonly durationMs: number;
}

/** An item is given up only if it has less than this share of the predicted time, because predictions err. */
const DOOMED_SHARE = 0.8;

/** The queued items that may share a batch, in order of arrival. */
class Lane<I, O> {
  readonly items: BatchItem<I, O>[] = [];
  weight = 0;
  timer: Timer | undefined = undefined;
  self: unknown = undefined;
}

/**
 * The queue of one batched function: collects items and decides when a batch starts. It does not poll: it acts when an item
 * arrives or leaves, a batch ends, or a timer fires.
 */
export class BatchQueue<I, O> {
  readonly options: ResolvedBatchOptions<I>;
  readonly #run: RunBatch<I, O>;
  readonly #onBatch: (record: BatchRecord) => void;
  readonly #name: () => string;
  readonly #lanes = new Map<string, Lane<I, O>>();
  readonly #cost = new CostModel();
  readonly #arrivals = new Arrivals();
  readonly #heldLoop = new HeldLoop();
  #runningBatches = 0;
  /** The time since which a batch could have started. */
  #freeSince = 0;
  /** The number of items of running batches that are not answered yet. */
  #runningItems = 0;
  #queuedItems = 0;
  #immediate: Timer | undefined = undefined;

  /** @param name returns the name of the function, which is known once its field is assigned */
  constructor(
    options: ResolvedBatchOptions<I>,
    run: RunBatch<I, O>,
    onBatch: (record: BatchRecord) => void,
    name: () => string,
  ) {
    this.#name = name;
    this.options = options;
    this.#run = run;
    this.#onBatch = onBatch;
  }

  /** Adds an item, whose outcome goes to its caller. Returns undefined if the item was refused. */
  add(self: unknown, value: I, caller: ItemCaller<O>): BatchItem<I, O> | undefined {
    let weight: number;
    try {
      weight = this.#weigh(value);
    } catch (error) {
      caller.fail(error);
      return undefined;
    }
    const item = new BatchItem<I, O>(value, weight, callScope.getStore(), caller, this.#onSettled);
    const { lane: key } = item;
    const lane = this.#lanes.get(key) ?? new Lane<I, O>();
    this.#lanes.set(key, lane);
    lane.self = self;
    lane.items.push(item);
    lane.weight += weight;
    this.#queuedItems++;
    const before = this.#heldLoop.received(this.#queuedItems);
    if (before !== undefined) this.#arrivals.wasUnderWay(before);
    else this.#arrivals.arrived(item.arrivedAt, this.#queuedItems + this.#runningItems);
    this.#schedule(lane);
    return item;
  }

  /** Applies changed options from the next batch on. */
  reconsider(): void {
    for (const lane of this.#lanes.values()) this.#schedule(lane);
  }

  #weigh(value: I): number {
    const { sizeOf, maxBatchSize } = this.options;
    if (sizeOf === undefined) return 1;
    const weight = sizeOf(value);
    if (typeof weight !== 'number' || !(weight >= 0)) {
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `batch.sizeOf: got ${String(weight)}; allowed: a number ≥ 0`,
      );
    }
    if (weight > maxBatchSize) {
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `batch.sizeOf: an item of size ${weight} is greater than maxBatchSize (${maxBatchSize})`,
      );
    }
    return weight;
  }

  readonly #onSettled = (item: BatchItem<I, O>): void => {
    if (item.hasJoined) {
      this.#runningItems--;
      if (!this.#arrivals.isAnswered) this.#arrivals.answered(now());
    } else {
      this.#left(item);
    }
  };

  #left(item: BatchItem<I, O>): void {
    const key = item.lane;
    const lane = this.#lanes.get(key);
    const index = lane?.items.indexOf(item) ?? -1;
    if (lane === undefined || index === -1) return;
    lane.items.splice(index, 1);
    lane.weight -= item.weight;
    this.#queuedItems--;
    if (lane.items.length === 0) this.#drop(key, lane);
  }

  #drop(key: string, lane: Lane<I, O>): void {
    time.cancel(lane.timer);
    this.#lanes.delete(key);
  }

  /** Starts the batch of a lane when it is due, but not before the end of this turn, so that items of one message share it. */
  #schedule(lane: Lane<I, O>): void {
    const first = lane.items[0];
    if (first === undefined || this.#runningBatches >= this.options.maxConcurrentBatches) return;
    const at = now();
    const due = this.#startTime(lane, first, at);
    time.cancel(lane.timer);
    lane.timer = undefined;
    if (due <= at) this.#immediate ??= time.soon(() => inRootContext(this.#startDue));
    else lane.timer = time.after(due - at, () => this.#schedule(lane));
  }

  #startTime(lane: Lane<I, O>, first: BatchItem<I, O>, at: number): number {
    const { mode, maxBatchSize, batchWaitTimeoutMs } = this.options;
    let tightest = 0;
    for (const { deadlineAt } of lane.items) {
      if (deadlineAt !== 0 && (tightest === 0 || deadlineAt < tightest)) tightest = deadlineAt;
    }
    return startTime(
      {
        mode,
        now: at,
        count: lane.items.length,
        queued: this.#queuedItems,
        isFull: lane.weight >= maxBatchSize,
        openedAt: first.arrivedAt,
        freeSince: this.#freeSince,
        tightestDeadline: tightest,
        running: this.#runningItems,
        maxBatchSize,
        waitMs: batchWaitTimeoutMs,
      },
      this.#cost,
      this.#arrivals,
    );
  }

  /** Starts the batches that are due. A batch belongs to several calls, and runs in the async context of none. */
  readonly #startDue = (): void => {
    this.#immediate = undefined;
    for (const [key, lane] of this.#lanes) {
      if (this.#runningBatches >= this.options.maxConcurrentBatches) return;
      const first = lane.items[0];
      const at = now();
      if (first === undefined) continue;
      if (this.#startTime(lane, first, at) > at) {
        this.#schedule(lane);
        continue;
      }
      const items = this.#take(lane, at);
      if (lane.items.length === 0) this.#drop(key, lane);
      // A lane that was served moves behind the others.
      else this.#lanes.delete(key) && this.#lanes.set(key, lane);
      if (items.length > 0) void this.#start(lane.self, items);
    }
    this.reconsider();
  };

  /** Takes the oldest items that fit. Items that cannot meet their deadline expire instead. */
  #take(lane: Lane<I, O>, at: number): BatchItem<I, O>[] {
    const { maxBatchSize } = this.options;
    const taken: BatchItem<I, O>[] = [];
    let weight = 0;
    while (lane.items.length > 0) {
      const item = lane.items[0] as BatchItem<I, O>;
      if (taken.length > 0 && weight + item.weight > maxBatchSize) break;
      lane.items.shift();
      lane.weight -= item.weight;
      this.#queuedItems--;
      if (this.#isDoomed(item, taken.length + 1, at)) {
        item.expire();
        continue;
      }
      weight += item.weight;
      taken.push(item);
    }
    return taken;
  }

  #isDoomed(item: BatchItem<I, O>, position: number, at: number): boolean {
    const { deadlineAt } = item;
    return deadlineAt !== 0 && deadlineAt - at < this.#cost.predict(position) * DOOMED_SHARE;
  }

  #traced(scope: BatchScope, run: () => Promise<void>): Promise<void> {
    if (!batchTraces.start.hasSubscribers) return run();
    const { app, deployment, replicaId: replica, items } = scope;
    const requestIds = items.map(({ requestId }) => requestId);
    const traceparents = items.map(({ traceparent }) => traceparent);
    const tracestates = items.map(({ tracestate }) => tracestate);
    const about = { function: this.#name(), size: scope.size, requestIds, traceparents, tracestates };
    return traceBatch({ app, deployment, replica, ...about }, run);
  }

  async #start(self: unknown, items: BatchItem<I, O>[]): Promise<void> {
    const scope = new BatchScope(items);
    this.#runningBatches++;
    this.#runningItems += items.length;
    for (const item of items) item.joined(scope, items.length);
    this.#arrivals.batchStarted();
    const queued = this.#queuedItems;
    const isHeld = this.options.mode === 'adaptive' ? this.#heldLoop.watch() : undefined;
    const startedAt = now();
    await callScope.run(scope, () => this.#traced(scope, () => this.#run(self, items)));
    const endedAt = now();
    const durationMs = endedAt - startedAt;
    if (this.#runningBatches >= this.options.maxConcurrentBatches) this.#freeSince = endedAt;
    this.#runningBatches--;
    this.#cost.observe(items.length, durationMs);
    const first = items[0] as BatchItem<I, O>;
    const { app, deployment, replicaId: replica } = scope;
    const waitMs = startedAt - first.arrivedAt;
    this.#onBatch({ app, deployment, replica, size: items.length, waitMs, durationMs });
    if (isHeld?.()) this.#heldLoop.ended(items.length + queued, () => this.#queuedItems);
    this.reconsider();
  }
}
