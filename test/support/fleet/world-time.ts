import type { ThreadTime, Timer } from '../../../src/time/clock.ts';
import type { World } from './world.ts';

/** The time and timers of a world. */
export function worldTime(world: World): Omit<ThreadTime, 'wait'> {
  const cancelled = new WeakSet<Timer>();
  const after = (ms: number, run: () => void): Timer => {
    const timer: Timer = { ref: () => timer, unref: () => timer };
    world.after(ms, () => {
      if (!cancelled.has(timer)) run();
    });
    return timer;
  };
  return {
    now: () => world.now,
    after,
    every(ms, run) {
      const timer: Timer = { ref: () => timer, unref: () => timer };
      const repeat = (): void => {
        if (cancelled.has(timer)) return;
        run();
        world.after(ms, repeat);
      };
      world.after(ms, repeat);
      return timer;
    },
    soon: (run) => after(0, run),
    cancel(timer) {
      if (timer !== undefined) cancelled.add(timer);
    },
    random: world.random,
  };
}
