import type { ThreadTime, Timer } from '../../../src/time/clock.ts';
import type { World } from './world.ts';

/** Timers of a world. */
export function worldTime(world: World): Pick<ThreadTime, 'now' | 'after' | 'cancel'> {
  const cancelled = new WeakSet<Timer>();
  return {
    now: () => world.now,
    after(ms, run) {
      const timer: Timer = { ref: () => timer, unref: () => timer };
      world.after(ms, () => {
        if (!cancelled.has(timer)) run();
      });
      return timer;
    },
    cancel(timer) {
      if (timer !== undefined) cancelled.add(timer);
    },
  };
}
