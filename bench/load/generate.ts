import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../harness/statistics.ts';
import { Connection, type ConnectionEvents, type EncodedTarget, encode } from './connection.ts';
import type { LoadReply, LoadRequest } from './load.ts';

/** How often the requests of an open loop are looked after. */
const TICK_MS = 1;
/** A client that was refused does not ask again at once. */
const REFUSED_PAUSE_MS = 10;

/** Closed loop, each connection sending its next request when the last was answered; or with a rate an open one. */
export async function generate({
  targets,
  connections,
  ms,
  rate,
  isTolerant,
}: LoadRequest): Promise<LoadReply> {
  const failure = Promise.withResolvers<never>();
  const [first, ...others] = targets;
  const encoded: readonly [EncodedTarget, ...EncodedTarget[]] = [encode(first), ...others.map(encode)];
  let latencies: number[] = [];
  let firsts: number[] = [];
  let refused = 0;
  let stopped = false;
  const events: ConnectionEvents = {
    answered(connection) {
      latencies.push(performance.now() - connection.sentAt);
      firsts.push(connection.firstAt - connection.sentAt);
      if (rate === 0 && !stopped) connection.send();
    },
    ...(isTolerant === true && {
      async refused(connection) {
        refused++;
        await sleep(REFUSED_PAUSE_MS);
        if (rate === 0 && !stopped) connection.send();
      },
    }),
    failed: failure.reject,
  };
  const all = Array.from({ length: connections }, (_, index) => new Connection(encoded, index, events));
  const ticker = rate > 0 ? setInterval(pacer(all, rate), TICK_MS) : undefined;
  try {
    if (rate === 0) for (const connection of all) connection.send();
    await Promise.race([sleep(ms / 5), failure.promise]);
    const runUp = latencies.length;
    latencies = [];
    firsts = [];
    refused = 0;
    const bytesBefore = bytesOf(all);
    const begin = performance.now();
    await Promise.race([sleep(ms), failure.promise]);
    const elapsedMs = performance.now() - begin;
    const bytes = bytesOf(all) - bytesBefore;
    stopped = true;
    const sorted = Float64Array.from(latencies).sort();
    return {
      throughput: (sorted.length / elapsedMs) * 1e3,
      chunkedBytes: (bytes / elapsedMs) * 1e3,
      ...(sorted.length > 0 && {
        p50: percentile(sorted, 0.5),
        p99: percentile(sorted, 0.99),
        firstP50: percentile(Float64Array.from(firsts).sort(), 0.5),
      }),
      refused,
      sent: sorted.length + runUp,
    };
  } finally {
    clearInterval(ticker);
    for (const connection of all) connection.end();
  }
}

/** Sends what is due on connections that are free. */
function pacer(all: readonly Connection[], rate: number): () => void {
  const begin = performance.now();
  let sent = 0;
  return () => {
    const due = ((performance.now() - begin) / 1e3) * rate;
    for (const connection of all) {
      if (sent >= due) return;
      if (!connection.isIdle) continue;
      connection.send();
      sent++;
    }
  };
}

function bytesOf(all: readonly Connection[]): number {
  return all.reduce((sum, { chunkedBytes }) => sum + chunkedBytes, 0);
}
