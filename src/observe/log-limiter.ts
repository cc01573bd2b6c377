import { type Timer, time } from '../time/clock.ts';
import type { Logger } from './logger.ts';

/** Time for which further records of one kind are held back, in ms. */
const PERIOD_MS = 60_000;
/** Number of kinds that are told apart; the kinds beyond share one record per level. */
const MAX_KINDS = 512;

export type LimitedLevel = 'debug' | 'info' | 'warn' | 'error';

interface Recent {
  /** The last record that was held back, and how many were. */
  held: (() => void) | undefined;
  heldBack: number;
  timer: Timer;
}

/**
 * Writes at most one record of each kind per minute, whatever happens. The last of the records that are held back follows at
 * the end of the minute, with their number, so that the log ends with what holds.
 */
export class LogLimiter {
  readonly #log: Logger;
  readonly #recent = new Map<string, Recent>();
  #isClosed = false;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @param kind what is told apart, such as the peer and the cause */
  write(level: LimitedLevel, kind: readonly string[], fields: object, message: string): void {
    if (this.#isClosed) return;
    const own = kind.join('\n');
    const key = this.#recent.has(own) || this.#recent.size < MAX_KINDS ? own : level;
    const recent = this.#recent.get(key);
    if (recent === undefined) {
      this.#begin(key);
      this.#log[level](fields, message);
      return;
    }
    recent.heldBack++;
    const count = recent.heldBack;
    recent.held = () => this.#log[level](fields, `${message} (${count} more within a minute)`);
  }

  /** Drops what is held back. */
  close(): void {
    this.#isClosed = true;
    for (const { timer } of this.#recent.values()) time.cancel(timer);
    this.#recent.clear();
  }

  #begin(key: string): void {
    const timer = time.after(PERIOD_MS, () => this.#end(key));
    timer.unref();
    this.#recent.set(key, { held: undefined, heldBack: 0, timer });
  }

  #end(key: string): void {
    const held = this.#recent.get(key)?.held;
    this.#recent.delete(key);
    if (held === undefined) return;
    this.#begin(key);
    held();
  }
}
