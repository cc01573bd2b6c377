/**
 * Samples of a value, each of which holds until the next one, and their mean over the last period: time-weighted, and
 * starting at the first sample if that is younger (Ray merges its series the same way).
 */
export class LoadWindow {
  readonly #keepMs: number;
  #times: number[] = [];
  #values: number[] = [];

  /** @param keepMs the longest period that can be queried */
  constructor(keepMs: number) {
    this.#keepMs = keepMs;
  }

  /** The last sample; 0 before the first. */
  get latest(): number {
    return this.#values.at(-1) ?? 0;
  }

  /** Samples, oldest first. */
  get samples(): readonly { readonly at: number; readonly value: number }[] {
    return this.#times.map((at, index) => ({ at, value: this.#values[index] as number }));
  }

  /** @param at in ms; not before the last sample */
  record(at: number, value: number): void {
    this.#times.push(at);
    this.#values.push(value);
    const isOver = (index: number): boolean => (this.#times[index + 1] ?? Infinity) <= at - this.#keepMs;
    let old = 0;
    while (isOver(old)) old++;
    // Old samples are dropped in bulk, half of the period at a time: dropping one by one would move the rest for every sample.
    if (old <= this.#times.length / 2) return;
    this.#times = this.#times.slice(old);
    this.#values = this.#values.slice(old);
  }

  /** The value at a time: the first sample's value before the first sample, 0 without any. */
  valueAt(at: number): number {
    let index = this.#times.length - 1;
    while (index > 0 && (this.#times[index] as number) > at) index--;
    return this.#values[Math.max(0, index)] ?? 0;
  }

  /** The lowest value of the last `periodMs`; 0 before the first sample. */
  least(at: number, periodMs: number): number {
    const begin = at - periodMs;
    let least = this.latest;
    for (let index = this.#times.length - 1; index > 0 && (this.#times[index] as number) > begin; index--)
      least = Math.min(least, this.#values[index - 1] as number);
    return least;
  }

  /** Mean over the last `periodMs`; 0 before the first sample. */
  mean(at: number, periodMs: number): number {
    const begin = at - periodMs;
    let weighted = 0;
    let covered = 0;
    let until = at;
    for (let index = this.#times.length - 1; index >= 0 && until > begin; index--) {
      const from = Math.max(this.#times[index] as number, begin);
      weighted += (this.#values[index] as number) * (until - from);
      covered += until - from;
      until = from;
    }
    return covered > 0 ? weighted / covered : this.latest;
  }
}
