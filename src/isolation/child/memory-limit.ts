import { time } from '../../time/clock.ts';
import { MIB } from '../../validation/bytes.ts';
import type { ChildProcess } from './child-process.ts';
import { processMemory } from './process-memory.ts';

/** Interval at which the memory of a child is read, in ms. */
const PERIOD_MS = 200;

/**
 * How far a child may exceed its reserved memory before it is killed at once: by this factor, and by this much in MiB, so that
 * a full heap of JavaScript is reported as such. Until then the instance replaces the replica, and its calls may end
 * (`isolation/memory-quota.ts`).
 */
const FACTOR = 1.25;
const LEAST_MB = 64;

/** Keeps a child within its reserved memory, also while it drains. Works where the system tells the memory of a process (Linux). */
export function limitMemory(child: ChildProcess, memoryMb: number): void {
  const { pid } = child;
  if (pid === undefined) return;
  let isReading = false;
  const timer = time.every(PERIOD_MS, async () => {
    if (isReading) return;
    isReading = true;
    const bytes = (await processMemory(pid)) ?? 0;
    isReading = false;
    if (bytes <= Math.max(memoryMb * FACTOR, memoryMb + LEAST_MB) * MIB) return;
    const held = Math.round(bytes / MIB);
    child.kill(
      `out of memory: its process held ${held} MiB, far more than its resources.memoryMb (${memoryMb})`,
    );
  });
  timer.unref();
  void child.exited.then(() => time.cancel(timer));
}
