import { MessageChannel, Worker } from 'node:worker_threads';
import { openChannel as openPort } from '../threads/channel.ts';
import { type Channel, openChannel } from './batches.ts';
import { connect, serveOver } from './floor.ts';
import type { Contender } from './session.ts';

/** The floor with a worker thread behind it, as every deployment has one: each message goes to the thread and back. */
export const hop: Contender = {
  async serve() {
    const { port1, port2 } = new MessageChannel();
    const worker = new Worker(new URL('./hop.worker.ts', import.meta.url), {
      workerData: { port: port2 },
      transferList: [port2],
    });
    let channel: Channel | undefined;
    const send = openPort(port1, (id, value) => channel?.send(id, value));
    const served = await serveOver((post) => {
      channel = openChannel(post, (id, value) => send(id, value));
      return channel;
    });
    return {
      ...served,
      close: async () => {
        await served.close();
        await worker.terminate();
      },
    };
  },
  connect,
};
