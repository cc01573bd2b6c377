import { expect, test } from 'vitest';
import { machineTime, type Timer, useTime } from '../../time/clock.ts';
import { Lateness } from './lateness.ts';

const NO_TIMER: Timer = { ref() {}, unref() {} };

/** A thread whose time, timers and turns the test makes. */
class Thread implements Disposable {
  at = 1_000;
  /** What the timer does when it fires. */
  look = (): void => {};
  #soon: Array<() => void> = [];
  readonly #restore = useTime({
    ...machineTime,
    now: () => this.at,
    every: (_ms, run) => {
      this.look = run;
      return NO_TIMER;
    },
    soon: (run) => {
      this.#soon.push(run);
      return NO_TIMER;
    },
    cancel() {},
  });
  readonly lateness = new Lateness();

  get lateMs(): number {
    return this.lateness.msAt(this.at);
  }

  turn(): void {
    for (const run of this.#soon.splice(0)) run();
  }

  /** Time passes with its readings. */
  run(ms: number): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.at += 100;
      this.look();
    }
  }

  [Symbol.dispose](): void {
    this.lateness.close();
    this.#restore[Symbol.dispose]();
  }
}

test('frames of a thread that runs are not late', () => {
  using thread = new Thread();
  thread.run(1_000);
  thread.at += 90;
  expect(thread.lateMs).toBe(0);
});

test('frames that are read after a pause may have waited as long, where timers come first', () => {
  using thread = new Thread();
  thread.run(1_000);
  thread.at += 30_000;
  thread.look();
  expect(thread.lateMs).toBe(30_000);
  thread.turn();
  expect(thread.lateMs).toBe(30_000);
  thread.turn();
  expect(thread.lateMs).toBe(0);
});

test('the same where sockets come first: the thread was stopped right before it looked at them', () => {
  using thread = new Thread();
  thread.run(1_000);
  thread.at += 30_000;
  expect(thread.lateMs).toBe(30_000);
  thread.look();
  expect(thread.lateMs).toBe(30_000);
  thread.turn();
  thread.turn();
  expect(thread.lateMs).toBe(0);
});

test('a second pause right after a long one hides nothing', () => {
  using thread = new Thread();
  thread.at += 30_000;
  thread.look();
  thread.at += 2_000;
  expect(thread.lateMs).toBe(30_000);
});
