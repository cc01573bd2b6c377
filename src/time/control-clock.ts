import { instanceOf } from '../validation/fields.ts';
import { activeTime } from './active-time.ts';
import { inRootContext } from './root-context.ts';

/**
 * The time by which the control plane decides: when it samples and scales, checks health, restarts, gives up a placement,
 * judges an update. Calls and their deadlines go by the machine's time, and what waits for a thread by the time for which the
 * process was able to run.
 */
export interface Clock {
  /** In ms, from any origin; never goes back. */
  now(): number;
  /** Like `Date.now()`: what policies and `status()` are given. */
  timestamp(): number;
  /**
   * Calls `run` every so many ms, and does not keep the process alive.
   * @returns ends that
   */
  every(ms: number, run: () => void): () => void;
}

/** The default: the machine's time without pauses of the whole process, in which nothing was sampled and nothing ran. */
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
