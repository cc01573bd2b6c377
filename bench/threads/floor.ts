import { MessageChannel, Worker } from 'node:worker_threads';
import { openChannel } from './channel.ts';
import { type CallWork, type Implementation, sessionOf } from './session.ts';

/**
 * What a worker thread can be called for by hand, with promises and batches and nothing else: no errors, no
 * cancellation, no limits, no guards. It is what the others are measured against, not a contender.
 */
export const floor: Implementation = async (workers) => {
  const replicas = Array.from({ length: workers }, openReplica);
  const call: CallWork = (payload, transfer) => {
    let least = replicas[0]!;
    for (const replica of replicas) if (replica.open.size < least.open.size) least = replica;
    return least.call(payload, transfer);
  };
  return sessionOf(call, () => Promise.all(replicas.map(({ worker }) => worker.terminate())));
};

function openReplica() {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(new URL('./floor.worker.ts', import.meta.url), {
    workerData: { port: port2 },
    transferList: [port2],
  });
  const open = new Map<number, (value: unknown) => void>();
  let lastId = 0;
  const send = openChannel(port1, (id, value) => {
    const resolve = open.get(id);
    open.delete(id);
    resolve?.(value);
  });
  const call: CallWork = (payload, transfer) =>
    new Promise((resolve) => {
      open.set(++lastId, resolve);
      // Big copies go out alone: 16 × 1 MiB in one batch were 1.6 times, 64 × 1 MiB at least 6 times slower,
      // because the serializer grows one buffer for the whole message.
      if (transfer === undefined && 'bytes' in payload && payload.bytes instanceof ArrayBuffer) {
        port1.postMessage([lastId, payload]);
      } else {
        send(lastId, payload, transfer);
      }
    });
  return { worker, open, call };
}
