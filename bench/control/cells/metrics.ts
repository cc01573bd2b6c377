import { createServe } from 'inserve';
import { closedLoop } from '../../harness/closed-loop.ts';
import { median } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';
import { EchoDeployment } from '../deployments.ts';

const WINDOW_MS = 1_000;
const PAIRS = 8;
/** Prometheus asks every 15 s by default; this is as often as anybody would. */
const SCRAPE_MS = 250;

/** What it costs to be watched: calls that do nothing, with and without somebody who scrapes, window by window. */
export const metrics: Cell = {
  name: 'metrics',
  units: { on_vs_off: 'ratio', off: 'calls/s' },
  keys: [{ key: 'control.metrics_on_vs_off', metric: 'on_vs_off', goal: '≥ 0.95 of the throughput' }],
  timeoutMs: 60_000,
  rounds: 3,
  async measure() {
    await using serve = createServe();
    const handle = await serve.run(EchoDeployment.bind());
    const run = async () => {
      const call = () => () => handle.remote(1);
      const { throughput = NaN } = await closedLoop({ inFlight: 64, ms: WINDOW_MS, call });
      return throughput;
    };
    const watched = async () => {
      const scraper = setInterval(() => void serve.metrics(), SCRAPE_MS);
      try {
        return await run();
      } finally {
        clearInterval(scraper);
      }
    };
    await serve.metrics();
    const ratios: number[] = [];
    const off: number[] = [];
    for (let pair = 0; pair < PAIRS; pair++) {
      // In turn first and second, so that a machine that gets slower does not count.
      const first = pair % 2 === 0 ? await run() : await watched();
      const second = pair % 2 === 0 ? await watched() : await run();
      const [without, withMetrics] = pair % 2 === 0 ? [first, second] : [second, first];
      off.push(without);
      ratios.push(withMetrics / without);
    }
    return { on_vs_off: median(ratios), off: median(off) };
  },
};
