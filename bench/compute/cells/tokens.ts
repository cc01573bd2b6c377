import { mean, percentile } from '../../harness/statistics.ts';
import type { Cell, Session } from '../cell.ts';
import { sharedNow } from '../computing.ts';
import { HandMadeThread } from '../hand.ts';
import { serving } from '../serving.ts';

const REPLICAS = 2;
const STREAMS = 8;
const TOKEN_MS = 20;
/** The hand-made worker's lag is what the machine makes of a message; half of it again is allowed. */
const ALLOWED = 1.5;

/** Tells of each token, in a stream that ends with the promise. */
type Stream = (
  index: number,
  tokens: number,
  steps: number,
  received: (yieldedAt: number) => void,
) => Promise<void>;

/** Eight streams of tokens, four on each thread, which take turns: each token is there when it is yielded. */
export const tokens: Cell = {
  name: 'tokens',
  units: { lag: 'ms', lagP99: 'ms', first: 'ms', total: 'ms' },
  keys: [
    {
      key: 'compute.token_lag_over_hand_ms',
      metric: 'lag',
      of: 'inserve',
      against: 'hand',
      how: 'difference',
      times: ALLOWED,
      goal: '≤ 0.15',
    },
    { key: 'compute.first_token_vs_hand', metric: 'first', of: 'inserve', against: 'hand', goal: '≤ 1.3' },
  ],
  contenders: {
    inserve: async (stepsPerMs) => {
      const { handle, close } = await serving(REPLICAS, TOKEN_MS * stepsPerMs);
      const stream: Stream = async (_index, count, steps, received) => {
        for await (const yieldedAt of handle.tokens.remote(count, steps)) received(yieldedAt);
      };
      return session(stream, stepsPerMs, close);
    },
    hand: async (stepsPerMs) => {
      const threads = await Promise.all(
        Array.from({ length: REPLICAS }, () => HandMadeThread.start(stepsPerMs)),
      );
      const stream: Stream = async (index, ...rest) => threads[index % REPLICAS]?.stream(...rest);
      return session(stream, stepsPerMs, () => Promise.all(threads.map((thread) => thread.close())));
    },
  },
  ms: 4_000,
  rounds: 5,
  timeoutMs: (ms) => 5 * ms + 30_000,
};

function session(stream: Stream, stepsPerMs: number, close: () => Promise<unknown>): Session {
  return {
    async measure({ ms }) {
      const count = Math.max(5, Math.round((ms * REPLICAS) / (STREAMS * TOKEN_MS)));
      const lags: number[] = [];
      const firsts: number[] = [];
      const begin = sharedNow();
      const one = async (index: number) => {
        let received = 0;
        await stream(index, count, TOKEN_MS * stepsPerMs, (yieldedAt) => {
          const now = sharedNow();
          if (received++ === 0) firsts.push(now - begin);
          lags.push(now - yieldedAt);
        });
        if (received !== count) throw new Error(`${received} of ${count} tokens`);
      };
      await Promise.all(Array.from({ length: STREAMS }, (_, index) => one(index)));
      const sorted = Float64Array.from(lags).sort();
      return {
        lag: percentile(sorted, 0.5),
        lagP99: percentile(sorted, 0.99),
        first: mean(firsts),
        total: sharedNow() - begin,
      };
    },
    close,
  };
}
