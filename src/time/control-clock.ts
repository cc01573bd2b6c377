import { instanceOf } from '../validation/fields.ts';
import { activeTime } from './active-time.ts';
import { inRootContext } from './root-context.ts';

/**
 * The time of the control plane, by which it samples and scales, checks health, restarts replicas, gives up a placement and
 * judges an update. Calls and their deadlines use the machine's time, and waits for a thread use the time during which the
 * process was able to run.
 */
export interface Clock {
  /** A time in ms from any origin, which never goes back. */
  now(): number;
  /** A time like `Date.now()`, for policies and `status()`. */
  timestamp(): number;
  /**
   * Calls `run` every `ms` milliseconds, without keeping the process alive.
   * @returns a function that ends the repetition
   */
  every(ms: number, run: () => void): () => void;
}

/** The default clock: the machine's time without pauses of the whole process. */
export const machineClock: Clock = {
  now: () => activeTime.now(),
  timestamp: () => Date.now(),
  every(ms, run) {
    const timer = inRootContext(() => setInterval(run, ms).unref());
    return () => clearInterval(timer);
  },
};

export const CLOCK_FIELD = instanceOf<Clock>(
  'a clock with now, timestamp and every',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['now', 'timestamp', 'every'].every((member) => typeof Reflect.get(value, member) === 'function'),
);
