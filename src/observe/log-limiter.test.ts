import { afterEach, expect, test } from 'vitest';
import { World } from '../../test/support/fleet/world.ts';
import { worldTime } from '../../test/support/fleet/world-time.ts';
import { Records } from '../../test/support/quiet.ts';
import { machineTime, useTime } from '../time/clock.ts';
import { LogLimiter } from './log-limiter.ts';

const MINUTE_MS = 60_000;
const restores: Disposable[] = [];

afterEach(() => {
  for (const restore of restores.splice(0)) restore[Symbol.dispose]();
});

/** A limiter under a clock that goes on by hand. */
function limited(): { world: World; limiter: LogLimiter; lines: () => string[] } {
  const world = new World(15);
  restores.push(useTime({ ...worldTime(world), wait: machineTime.wait }));
  const log = new Records();
  return {
    world,
    limiter: new LogLimiter(log),
    lines: () => log.records.map(({ level, message }) => `${level} ${message}`),
  };
}

test('a peer that flaps for ten minutes has one line a minute for each cause, and the last one says how it is', () => {
  const { world, limiter, lines } = limited();
  for (let second = 0; second < 600; second++) {
    limiter.write('info', ['up', 'a'], {}, `a is up at ${second}`);
    limiter.write('info', ['gone', 'a'], {}, `a is gone at ${second}`);
    world.run(1_000);
  }
  world.run(10 * MINUTE_MS);
  const up = lines().filter((line) => line.includes('up'));
  const gone = lines().filter((line) => line.includes('gone'));
  expect([up.length, gone.length]).toEqual([11, 11]);
  expect(up[0]).toBe('info a is up at 0');
  expect(up[1]).toBe('info a is up at 59 (59 more within a minute)');
  expect(up.at(-1)).toBe('info a is up at 599 (60 more within a minute)');
});

test('other peers, other causes and later minutes have lines of their own, at once', () => {
  const { world, limiter, lines } = limited();
  limiter.write('warn', ['broken', 'a'], {}, 'one');
  limiter.write('warn', ['broken', 'b'], {}, 'two');
  limiter.write('error', ['dial', 'a'], {}, 'three');
  world.run(MINUTE_MS);
  limiter.write('warn', ['broken', 'a'], {}, 'four');
  expect(lines()).toEqual(['warn one', 'warn two', 'error three', 'warn four']);
});

test('whoever invents kinds gets a bounded number of lines', () => {
  const { world, limiter, lines } = limited();
  for (let index = 0; index < 50_000; index++) limiter.write('warn', ['refused', `${index}`], {}, 'refused');
  world.run(MINUTE_MS);
  expect(lines().length).toBeLessThanOrEqual(514);
});

test('a closed limiter holds nothing back', () => {
  const { world, limiter, lines } = limited();
  limiter.write('info', ['up', 'a'], {}, 'one');
  limiter.write('info', ['up', 'a'], {}, 'two');
  limiter.close();
  limiter.write('info', ['up', 'b'], {}, 'three');
  world.run(5 * MINUTE_MS);
  expect(lines()).toEqual(['info one']);
});
