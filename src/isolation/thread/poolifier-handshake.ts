import type { MessagePort } from 'node:worker_threads';

/** A pool's message to its workers; its other fields concern calls, which have channels of their own here. */
interface PoolMessage {
  readonly workerId: number;
  readonly ready?: boolean;
  readonly port?: MessagePort;
  readonly kill?: boolean;
}

/**
 * A worker's part in poolifier's two handshakes, ready and kill, as in 5.3.2 (`AbstractWorker`, `ThreadWorker`). Its own
 * worker loads crypto, cluster and child_process into every thread: 3 MiB, and a third of the time to start.
 */
export function joinPool(parent: MessagePort): void {
  parent.once('message', ({ ready, port, workerId }: PoolMessage) => {
    if (ready !== false || port === undefined) return;
    port.on('message', ({ kill }: PoolMessage) => {
      if (kill !== true) return;
      port.postMessage({ kill: 'success', workerId });
      port.unref();
      port.close();
    });
    // The replica decides how long the thread lives.
    port.unref();
    port.postMessage({ ready: true, taskFunctionsProperties: [{ name: 'default' }], workerId });
  });
}
