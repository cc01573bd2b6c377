import type { MessagePort } from 'node:worker_threads';

export type Send = (id: number, value: unknown, transfer?: readonly ArrayBuffer[]) => void;

/**
 * One end of the floor's channel; both ends run this. All that is sent within a turn of the event loop goes
 * out as one flat array `[id, value, id, value, …]` in its check phase: one message per turn.
 */
export function openChannel(port: MessagePort, receive: (id: number, value: unknown) => void): Send {
  let batch: unknown[] = [];
  let transfers: ArrayBuffer[] = [];
  let scheduled = false;
  const flush = () => {
    const [values, moved] = [batch, transfers];
    batch = [];
    transfers = [];
    scheduled = false;
    port.postMessage(values, moved);
  };
  port.on('message', (values: unknown[]) => {
    for (let i = 0; i < values.length; i += 2) receive(values[i] as number, values[i + 1]);
  });
  return (id, value, transfer) => {
    batch.push(id, value);
    if (transfer !== undefined) transfers.push(...transfer);
    if (scheduled) return;
    scheduled = true;
    setImmediate(flush);
  };
}
