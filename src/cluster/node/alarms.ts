/** Lets one alarm of each cause through per period, and counts all alarms. */
export class Alarms {
  readonly #periodMs: number;
  readonly #raise: (cause: string, message: string) => void;
  readonly #raisedAt = new Map<string, number>();
  readonly #counts = new Map<string, number>();

  constructor(periodMs: number, raise: (cause: string, message: string) => void) {
    this.#periodMs = periodMs;
    this.#raise = raise;
  }

  raise(cause: string, message: string, now: number): void {
    this.#counts.set(cause, this.count(cause) + 1);
    const last = this.#raisedAt.get(cause);
    if (last !== undefined && now - last < this.#periodMs) return;
    this.#raisedAt.set(cause, now);
    this.#raise(cause, message);
  }

  count(cause: string): number {
    return this.#counts.get(cause) ?? 0;
  }
}
