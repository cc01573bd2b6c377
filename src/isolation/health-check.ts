import type { ManagedReplica } from './managed-replica.ts';

/** Number of consecutive failures that end a replica. */
const MAX_FAILURES = 3;

/**
 * Calls a replica's `checkHealth()` every period (±10 %, so that the replicas are not checked at once); three failures in a
 * row end the replica, and one success resets the count. The time of a check counts from when it begins: a computing replica
 * begins later, and is as healthy.
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

  /** Starts a check if one is due. `onUnhealthy` is called at the third failure. */
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
