import { ReplicaLoad } from '../../../load/load-table.ts';

/**
 * The load of a replica whose code runs in Python. Only Python tells whether its loop turns: the thread before it stays free while
 * Python is blocked, and each call that arrives there would count as a sign of life.
 */
export class PythonLoad extends ReplicaLoad {
  #hasEnded = false;

  /** This thread has turned. */
  override tick(): void {}

  /** Python's event loop has turned. */
  override beat(at: number): void {
    super.beat(at);
    super.tick(at);
    if (!this.#hasEnded) return;
    this.#hasEnded = false;
    super.latestDeadline = 0;
  }

  /** A call that has ended for its caller holds Python's loop until that turns again. */
  override set latestDeadline(at: number) {
    this.#hasEnded = at === 0;
    if (at !== 0) super.latestDeadline = at;
  }
}
