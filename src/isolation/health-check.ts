import type { ManagedReplica } from './managed-replica.ts';

/** In a row. */
const MAX_FAILURES = 3;

/**
 * Asks a replica's `checkHealth()` every period (±10 %, so that replicas do not all ask at once); three failures in a row
 * end it, and one success starts the count anew. The check is timed from when it begins: a replica that computes comes to
 * it later, and is as healthy.
 */
export class HealthCheck {
  readonly #replica: ManagedReplica;
  readonly #timeoutMs: number;
  readonly #periodMs: number;
  #failures = 0;
  #isRunning = false;
  #nextAt: number;

  constructor(replica: ManagedReplica, periodMs: number, timeoutMs: number, at: number) {
    this.#replica = replica;
    this.#periodMs = periodMs;
    this.#timeoutMs = timeoutMs;
    this.#nextAt = at + this.#jittered();
  }

  /** Starts a check if one is due. `onUnhealthy` hears of the third failure. */
  tick(at: number, onUnhealthy: (error: unknown) => void): void {
    if (this.#isRunning || at < this.#nextAt || this.#replica.isStuck) return;
    this.#isRunning = true;
    void this.#check().then((error) => {
      this.#isRunning = false;
      this.#nextAt = at + this.#jittered();
      if (error === undefined) {
        this.#failures = 0;
      } else if (++this.#failures === MAX_FAILURES) {
        onUnhealthy(error);
      }
    });
  }

  #check(): Promise<unknown> {
    return this.#replica.control.checkHealth(this.#timeoutMs).then(
      () => undefined,
      (error: unknown) => error ?? new Error('checkHealth() failed'),
    );
  }

  #jittered(): number {
    return this.#periodMs * (0.9 + 0.2 * Math.random());
  }
}
