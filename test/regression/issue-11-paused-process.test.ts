import { describe, expect, test, vi } from 'vitest';
import { LoopSilence } from '../../src/isolation/loop-silence.ts';
import { ActiveTime, activeTime, wasPause } from '../../src/time/active-time.ts';
import { Harness } from '../support/routing/route-harness.ts';

describe('a long gap between two looks at the clock', () => {
  const gap = { ms: 3_000, cpuMs: 20, usualCpu: 0.5, beats: [] };

  test('is a pause if the process used no CPU time', () => {
    expect(wasPause(gap)).toBe(true);
    expect(wasPause({ ...gap, cpuMs: 2_900 })).toBe(false);
  });

  test('is a pause on a busy machine with many cores as well', () => {
    expect(wasPause({ ...gap, cpuMs: 2_000, usualCpu: 32 })).toBe(true);
  });

  test('is none if another thread went on meanwhile', () => {
    expect(wasPause({ ...gap, beats: [{ counted: 5, expected: 60 }] })).toBe(true);
    expect(wasPause({ ...gap, beats: [{ counted: 60, expected: 60 }] })).toBe(false);
    expect(wasPause({ ...gap, beats: [{ counted: 12, expected: 12 }] })).toBe(false);
    // One beat right before and one right after it.
    expect(wasPause({ ...gap, ms: 800, beats: [{ counted: 2, expected: 3.2 }] })).toBe(true);
  });
});

/** A process whose time and CPU time the test sets. */
class Machine {
  at = 1_000;
  cpu = 0;

  now(): number {
    return this.at;
  }

  cpuMs(): number {
    return this.cpu;
  }

  /** So much time passes, with the looks of the meter. */
  run(ms: number, active: ActiveTime): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.at += 100;
      this.cpu += 50;
      active.look();
    }
  }
}

describe('active time', () => {
  test('passes like the clock, but not while the process is paused', () => {
    const machine = new Machine();
    const active = new ActiveTime(machine);
    const unfollow = active.follow();
    machine.run(1_000, active);
    expect(active.now()).toBe(2_000);
    machine.at += 120_000;
    expect(active.now()).toBe(2_100);
    expect(active.pausedMs).toBe(119_900);
    machine.run(1_000, active);
    // The event loop was blocked: time passed.
    machine.at += 3_000;
    machine.cpu += 3_000;
    expect(active.now()).toBe(6_100);
    unfollow();
  });

  test('tells durations that span a pause', () => {
    const machine = new Machine();
    const active = new ActiveTime(machine);
    const unfollow = active.follow();
    machine.run(1_000, active);
    const before = machine.at;
    machine.at += 120_000;
    expect(active.spansPause(before, machine.at)).toBe(true);
    const after = machine.at;
    machine.run(2_000, active);
    expect(active.spansPause(after, machine.at)).toBe(false);
    expect(active.spansPause(before, machine.at)).toBe(true);
    // A call that was never sent.
    expect(active.spansPause(0, machine.at)).toBe(false);
    unfollow();
  });

  test('a replica is not silent during a pause, and is while its loop does not turn', () => {
    const machine = new Machine();
    const active = new ActiveTime(machine);
    const unfollow = active.follow();
    const silence = new LoopSilence();
    let lastTick = machine.at;
    const look = (): number => silence.look(lastTick, machine.at, active);
    const turn = (): void => {
      machine.run(200, active);
      lastTick = machine.at;
      machine.run(100, active);
    };
    turn();
    look();
    turn();
    expect(look()).toBe(100);
    machine.at += 120_000;
    expect(look()).toBe(100);
    expect(silence.pausedMs).toBe(119_900);
    turn();
    expect(look()).toBe(100);
    expect(silence.pausedMs).toBe(0);
    for (let pass = 0; pass < 4; pass++) {
      machine.run(300, active);
      look();
    }
    expect(look()).toBe(1_300);
    unfollow();
  });
});

test('a call that ran over a pause changes no estimate', () => {
  vi.useFakeTimers({ now: 10_000 });
  const spansPause = vi.spyOn(activeTime, 'spansPause');
  try {
    const harness = new Harness();
    const replica = harness.start(8);
    const answerAfter = (ms: number): void => {
      const call = harness.call();
      vi.advanceTimersByTime(ms);
      replica.answer(call, (answered) => answered.succeeded(0));
    };
    for (let count = 0; count < 30; count++) answerAfter(10);
    const { latencyMs } = replica.endpoint;
    expect(latencyMs).toBeGreaterThan(5);
    spansPause.mockReturnValue(true);
    answerAfter(120_000);
    expect(replica.endpoint.latencyMs).toBe(latencyMs);
    spansPause.mockReturnValue(false);
    answerAfter(120_000);
    expect(replica.endpoint.latencyMs).toBeGreaterThan(10_000);
    harness.finish();
  } finally {
    spansPause.mockRestore();
    vi.useRealTimers();
  }
});
