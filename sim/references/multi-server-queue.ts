import type { Traffic } from '../engine/traffic.ts';

export interface Served {
  /** Calls that ended within their deadline, of those that came from `fromMs` on. */
  readonly inTime: number;
  /** Mean wait of the calls that started, in ms, of those that came from `fromMs` on. */
  readonly meanWaitMs: number;
}

export interface QueueOptions {
  readonly servers: number;
  /** From the arrival on. Default: none. */
  readonly deadlineMs?: number;
  /** A call with less time left is not started. Default 0. */
  readonly thresholdMs?: number;
  readonly fromMs?: number;
}

/**
 * One queue before `servers` servers without any overhead: first come, first served, which is also earliest deadline
 * first where all deadlines are equally long. Exact, call by call.
 */
export function multiServerQueue({ times, durations }: Traffic, options: QueueOptions): Served {
  const { servers, deadlineMs = Infinity, thresholdMs = 0, fromMs = 0 } = options;
  const freeAt = new Float64Array(servers);
  let inTime = 0;
  let started = 0;
  let waited = 0;
  for (let index = 0; index < times.length; index++) {
    const arrival = times[index] as number;
    const server = earliest(freeAt);
    const start = Math.max(arrival, freeAt[server] as number);
    if (arrival + deadlineMs - start < thresholdMs) continue;
    const end = start + (durations[index] as number);
    freeAt[server] = end;
    if (arrival < fromMs) continue;
    started++;
    waited += start - arrival;
    if (end <= arrival + deadlineMs) inTime++;
  }
  return { inTime, meanWaitMs: started === 0 ? 0 : waited / started };
}

function earliest(freeAt: Float64Array): number {
  let first = 0;
  for (let server = 1; server < freeAt.length; server++)
    if ((freeAt[server] as number) < (freeAt[first] as number)) first = server;
  return first;
}

/** Calls in time with the best of all thresholds: all multiples of 10 ms are tried, then those of 2 ms near the best. */
export function bestThreshold(traffic: Traffic, options: QueueOptions & { deadlineMs: number }): number {
  let best = { inTime: -1, thresholdMs: 0 };
  const tryAll = (from: number, to: number, stepMs: number): void => {
    for (let thresholdMs = Math.max(0, from); thresholdMs <= to; thresholdMs += stepMs) {
      const { inTime } = multiServerQueue(traffic, { ...options, thresholdMs });
      if (inTime > best.inTime) best = { inTime, thresholdMs };
    }
  };
  tryAll(0, options.deadlineMs, 10);
  const { thresholdMs } = best;
  tryAll(thresholdMs - 8, thresholdMs + 8, 2);
  return best.inTime;
}
