import { setTimeout as sleep } from 'node:timers/promises';
import { createServe, ServeError } from 'inserve';
import { percentile } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';
import { SleeperDeployment } from '../deployments.ts';

/** 2 replicas × 8 calls of 5–15 ms: about 1,500 calls per second, and hardly any CPU, so that only queues are measured. */
const OPTIONS = { numReplicas: 2, maxOngoingRequests: 8, requestTimeoutMs: 500 };
const PEAK_MS = 4_000;
const OVERLOAD_MS = 20_000;
const OVERLOAD = 3;
const AFTER_MS = 8_000;
/** Load after the overload, as a share of the peak. */
const CALM = 0.7;
const TICK_MS = 2;
const WINDOW_MS = 250;
/** A call takes 15 ms at most; beyond this it waited for what is left of the overload. */
const RECOVERED_P99_MS = 50;

type Call = () => Promise<unknown>;

interface Outcome {
  /** Since the phase began. */
  readonly endedMs: number;
  readonly tookMs: number;
  readonly code: string;
}

/** Three times more calls than can be served, with a deadline, for 20 s. */
export const overload: Cell = {
  name: 'overload',
  units: {
    peak: 'calls/s',
    goodput: 'calls/s',
    goodputVsPeak: '×',
    rejected: 'calls/s',
    expired: 'calls/s',
    rejectP99: 'ms',
    latencyP50: 'ms',
    recovery: 's',
  },
  keys: [
    { key: 'control.overload_goodput_vs_peak', metric: 'goodputVsPeak', goal: '≥ 0.9' },
    { key: 'control.reject_p99_ms', metric: 'rejectP99', goal: '≤ 10' },
    { key: 'control.overload_recovery_s', metric: 'recovery', goal: '≤ 5' },
  ],
  timeoutMs: PEAK_MS + OVERLOAD_MS + AFTER_MS + 30_000,
  rounds: 1,
  async measure() {
    await using serve = createServe();
    const handle = await serve.run(SleeperDeployment.options(OPTIONS).bind(), { routePrefix: null });
    const call: Call = () => handle.remote(5 + Math.random() * 10);
    while (serve.status().apps['Sleeper']?.deployments['Sleeper']?.status !== 'HEALTHY') await sleep(20);
    const peak = await closedLoop(call, PEAK_MS);
    const during = await openLoop(call, peak * OVERLOAD, OVERLOAD_MS);
    const after = await openLoop(call, peak * CALM, AFTER_MS);
    const served = during.filter(({ code }) => code === 'ok');
    const rejected = during.filter(({ code }) => code === 'SERVE_BACKPRESSURE');
    const perSecond = (outcomes: readonly Outcome[]) => (outcomes.length / OVERLOAD_MS) * 1_000;
    return {
      peak,
      goodput: perSecond(served),
      goodputVsPeak: perSecond(served) / peak,
      rejected: perSecond(rejected),
      expired: perSecond(during) - perSecond(served) - perSecond(rejected),
      rejectP99: p(rejected, 0.99),
      latencyP50: p(served, 0.5),
      recovery: recoveredAfterMs(after) / 1_000,
    };
  },
};

/** Calls per second with enough callers to keep every place taken. */
async function closedLoop(call: Call, ms: number): Promise<number> {
  let served = 0;
  const end = performance.now() + ms;
  const caller = async () => {
    while (performance.now() < end) {
      await call();
      served++;
    }
  };
  await Promise.all(Array.from({ length: 32 }, caller));
  return (served / ms) * 1_000;
}

/** New calls at a fixed rate, whatever becomes of those before. */
async function openLoop(call: Call, rate: number, ms: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const open: Promise<void>[] = [];
  const begin = performance.now();
  for (let sent = 0, elapsed = 0; elapsed < ms; elapsed = performance.now() - begin) {
    for (; sent < (elapsed / 1_000) * rate; sent++) {
      open.push(observe(call(), begin, outcomes));
      // As requests that arrive one by one: after a pause of the machine many are due at once.
      if (sent % 16 === 0) await Promise.resolve();
    }
    await sleep(TICK_MS);
  }
  await Promise.all(open);
  return outcomes;
}

async function observe(call: Promise<unknown>, begin: number, outcomes: Outcome[]): Promise<void> {
  const startedAt = performance.now();
  let code = 'ok';
  try {
    await call;
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    code = error.code;
  }
  const endedAt = performance.now();
  outcomes.push({ endedMs: endedAt - begin, tookMs: endedAt - startedAt, code });
}

/** Start of the first second in which no call failed or waited for long; the whole time if there is none. */
function recoveredAfterMs(outcomes: readonly Outcome[]): number {
  let goodSince = 0;
  for (let from = 0; from < AFTER_MS; from += WINDOW_MS) {
    const window = outcomes.filter(({ endedMs }) => endedMs >= from && endedMs < from + WINDOW_MS);
    const isGood =
      window.length > 0 && window.every(({ code }) => code === 'ok') && p(window, 0.99) <= RECOVERED_P99_MS;
    if (!isGood) goodSince = from + WINDOW_MS;
    else if (from + WINDOW_MS - goodSince >= 1_000) return goodSince;
  }
  return AFTER_MS;
}

function p(outcomes: readonly Outcome[], share: number): number {
  if (outcomes.length === 0) return NaN;
  return percentile(Float64Array.from(outcomes, ({ tookMs }) => tookMs).sort(), share);
}
