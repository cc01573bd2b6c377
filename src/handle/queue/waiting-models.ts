import type { Waiting } from './tenant-lane.ts';

/** Number of calls below which lines are not swept. */
const SLACK = 64;

/** The waiting calls of one model and one priority, in order of arrival. */
class Line<T extends Waiting> {
  live = 0;
  #calls: T[] = [];
  /** Index of the first call that may still wait. */
  #head = 0;

  push(item: T): void {
    this.live++;
    this.#calls.push(item);
    if (this.#calls.length - this.#head <= SLACK + 2 * this.live && this.#head <= SLACK) return;
    this.#calls = this.#calls.slice(this.#head).filter(({ isQueued }) => isQueued);
    this.#head = 0;
  }

  first(): T | undefined {
    const calls = this.#calls;
    while (this.#head < calls.length && calls[this.#head]?.isQueued !== true) this.#head++;
    return calls[this.#head];
  }
}

/** The waiting calls by model, wherever they stand in the queue. */
export class WaitingModels<T extends Waiting> {
  readonly #models = new Map<number, Array<Line<T> | undefined>>();

  push(item: T): void {
    const { modelKey, priorityRank } = item;
    if (modelKey === undefined) return;
    const lines = this.#models.get(modelKey) ?? [];
    const line = lines[priorityRank] ?? new Line<T>();
    line.push(item);
    lines[priorityRank] = line;
    this.#models.set(modelKey, lines);
  }

  /** A call stops waiting. */
  forget({ modelKey, priorityRank }: T): void {
    if (modelKey === undefined) return;
    const lines = this.#models.get(modelKey);
    const line = lines?.[priorityRank];
    if (line === undefined) return;
    line.live--;
    if (lines?.every((other) => other === undefined || other.live === 0)) this.#models.delete(modelKey);
  }

  /** Number of calls that wait for a model, without the less important calls. */
  count(modelKey: number, priorityRank: number): number {
    const lines = this.#models.get(modelKey);
    if (lines === undefined) return 0;
    let count = 0;
    for (let rank = 0; rank <= priorityRank; rank++) count += lines[rank]?.live ?? 0;
    return count;
  }

  /** The earliest call that waits for a model, without the less important calls. */
  first(modelKey: number, priorityRank: number): T | undefined {
    const lines = this.#models.get(modelKey);
    let first: T | undefined;
    for (let rank = 0; lines !== undefined && rank <= priorityRank; rank++) {
      const call = lines[rank]?.first();
      if (call !== undefined && (first === undefined || call.number < first.number)) first = call;
    }
    return first;
  }
}
