import type { Cell } from '../cell.ts';
import { idle, serving } from '../serving.ts';

const REPLICAS = 2;
const CALLS = 30;
const KEPT = 5;
const CALL_MS = 40;
/** How long the calls take if all of them run. */
const BURST_MS = (CALLS * CALL_MS) / REPLICAS;

/** Thirty calls of which the last 25 are cancelled when the first is answered: those have no reason to run. */
export const cancel: Cell = {
  name: 'cancel',
  units: { ran: 'calls', kept: 'calls' },
  keys: [{ key: 'compute.cancelled_that_ran', metric: 'ran', of: 'inserve', goal: '≤ 4 of 25' }],
  contenders: {
    inserve: async (stepsPerMs) => {
      const served = await serving(REPLICAS, CALL_MS * stepsPerMs);
      return {
        async measure({ ms }) {
          let most = 0;
          let kept = CALLS;
          const bursts = Math.max(1, Math.round(ms / BURST_MS));
          for (let index = 0; index < bursts; index++) {
            const ran = new SharedArrayBuffer(CALLS);
            const calls = Array.from({ length: CALLS }, (_, call) =>
              served.handle.mark.remote(CALL_MS * stepsPerMs, ran, call),
            );
            const settled = Promise.allSettled(calls);
            await Promise.race(calls);
            for (const call of calls.slice(KEPT)) call.cancel();
            await settled;
            await idle(served);
            const marks = new Uint8Array(ran);
            most = Math.max(most, sum(marks.subarray(KEPT)));
            kept = Math.min(kept, sum(marks.subarray(0, KEPT)));
          }
          if (kept < KEPT) throw new Error(`${KEPT - kept} calls that were not cancelled did not run`);
          return { ran: most, kept };
        },
        close: served.close,
      };
    },
  },
  ms: 3_000,
  rounds: 3,
  timeoutMs: (ms) => 5 * ms + 60_000,
};

function sum(marks: Uint8Array): number {
  return marks.reduce((total, mark) => total + mark, 0);
}
