import autocannon from 'autocannon';
import type { LoadReply, LoadRequest } from './load.ts';

/** The same load from a well-known tool, to check the bench's own generator against. It has no run-up. */
export async function cannonade({ targets, connections, ms, rate }: LoadRequest): Promise<LoadReply> {
  const [{ method, path, port, bodyBytes }, ...others] = targets;
  if (others.length > 0) throw new Error('autocannon sends requests of one kind');
  const result = await autocannon({
    url: `http://127.0.0.1:${port}${path}`,
    method,
    connections,
    duration: ms / 1e3,
    ...(bodyBytes > 0 && { body: Buffer.alloc(bodyBytes, 'b') }),
    ...(rate > 0 && { overallRate: rate }),
  });
  const { errors, timeouts, non2xx, latency } = result;
  if (errors + timeouts + non2xx > 0) {
    throw new Error(`${path}: ${errors} errors, ${timeouts} time-outs, ${non2xx} wrong answers`);
  }
  const sent = result['2xx'];
  return {
    throughput: sent / result.duration,
    // With heads and framing: it does not tell them apart.
    chunkedBytes: result.throughput.total / result.duration,
    p50: latency.p50,
    p99: latency.p99,
    refused: 0,
    sent,
  };
}
