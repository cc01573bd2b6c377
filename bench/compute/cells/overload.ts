import { setTimeout as sleep } from 'node:timers/promises';
import type { Cell } from '../cell.ts';
import { idle, type Serving, serving, stepsOf } from '../serving.ts';

const REPLICAS = 2;
const CALL_MS = 10;
const DEADLINE_MS = 200;
const OVERLOAD = 3;
/** Enough callers to keep both replicas busy, and few enough that no call comes near its deadline. */
const PEAK_CALLERS = 8;
/** Share of the window that each measurement of the peak takes, before and after. */
const PEAK_SHARE = 0.25;
/** Calls of each replica before the window, which tell how fast it is. */
const CALIBRATING_CALLS = 12;
const TICK_MS = 1;

/** Three times more calls than two replicas can answer, each of which is worth something for 200 ms. */
export const overload: Cell = {
  name: 'overload',
  units: { peak: 'calls/s', goodput: 'calls/s', goodputVsPeak: '', refused: 'calls/s', call: 'ms' },
  keys: [{ key: 'compute.goodput3x_vs_peak', metric: 'goodputVsPeak', of: 'inserve', goal: '≥ 0.9' }],
  contenders: {
    inserve: async (stepsPerMs) => {
      const served = await serving(REPLICAS, CALL_MS * stepsPerMs, { requestTimeoutMs: DEADLINE_MS });
      return {
        async measure({ ms }) {
          const steps = await stepsOf(CALL_MS, served, CALL_MS * stepsPerMs, CALIBRATING_CALLS);
          const before = await peak(served, steps, ms * PEAK_SHARE);
          const { goodput, refused, call } = await overloaded(served, steps, before * OVERLOAD, ms);
          await idle(served);
          const after = await peak(served, steps, ms * PEAK_SHARE);
          const mean = (before + after) / 2;
          return { peak: mean, goodput, goodputVsPeak: goodput / mean, refused, call };
        },
        close: served.close,
      };
    },
  },
  ms: 8_000,
  rounds: 3,
  timeoutMs: (ms) => 3 * ms + 60_000,
};

/** Calls per second with a few callers. */
async function peak({ handle }: Serving, steps: number, ms: number): Promise<number> {
  let answered = 0;
  const end = performance.now() + ms;
  const caller = async () => {
    while (performance.now() < end) {
      await handle.run.remote(steps).catch(() => {});
      if (performance.now() < end) answered++;
    }
  };
  await Promise.all(Array.from({ length: PEAK_CALLERS }, caller));
  return (answered / ms) * 1e3;
}

/** Calls at a fixed rate, whatever becomes of those before. */
async function overloaded({ handle }: Serving, steps: number, rate: number, ms: number) {
  const open: Promise<void>[] = [];
  let inTime = 0;
  let refused = 0;
  let computedMs = 0;
  const begin = performance.now();
  const one = async () => {
    const sentAt = performance.now();
    try {
      const ownMs = await handle.run.remote(steps);
      const answeredAt = performance.now();
      // What is answered after the window would count as if there had been more time for it.
      if (answeredAt - sentAt > DEADLINE_MS || answeredAt - begin > ms) return;
      inTime++;
      computedMs += ownMs;
    } catch {
      refused++;
    }
  };
  for (let elapsed = 0; elapsed < ms; elapsed = performance.now() - begin) {
    while (open.length < (elapsed / 1e3) * rate) open.push(one());
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  return {
    goodput: (inTime / ms) * 1e3,
    refused: (refused / ms) * 1e3,
    call: inTime === 0 ? 0 : computedMs / inTime,
  };
}
