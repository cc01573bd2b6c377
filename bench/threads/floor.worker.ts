import { type MessagePort, workerData } from 'node:worker_threads';
import { openChannel } from './channel.ts';
import { type Payload, work } from './work.ts';

const { port } = workerData as { port: MessagePort };

const send = openChannel(port, async (id, payload) => {
  const result = await work(payload as Payload);
  send(id, result, result instanceof ArrayBuffer ? [result] : undefined);
});
