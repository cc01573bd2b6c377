import { quantile } from '../engine/quantile.ts';
import { type Durations, seeded } from '../engine/random.ts';

const SAMPLES = 20_000;
/** Delays that are tried, as quantiles of the duration. */
const STEP = 0.0025;

/**
 * The lowest 99th percentile that a fixed delay can give when a second copy of a call is sent after it, at most
 * `maxExtraRatio` of the calls get one, and nothing queues. Brute force over the delays.
 */
export function bestHedgedP99(seed: number, durations: Durations, maxExtraRatio: number): number {
  const random = seeded(seed);
  const first = Float64Array.from({ length: SAMPLES }, () => durations.draw(random));
  const second = Float64Array.from({ length: SAMPLES }, () => durations.draw(random));
  const sorted = first.toSorted();
  let best = Infinity;
  for (let p = 1 - maxExtraRatio; p < 1; p += STEP) {
    const delay = sorted[Math.ceil(p * SAMPLES)] ?? Infinity;
    const latencies = first.map((ms, index) =>
      ms <= delay ? ms : Math.min(ms, delay + (second[index] as number)),
    );
    best = Math.min(best, quantile(latencies, 0.99));
  }
  return best;
}
