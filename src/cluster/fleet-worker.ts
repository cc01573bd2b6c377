import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { threadFlags } from '../isolation/thread/exec-argv.ts';
import { clockEpoch } from '../time/clock.ts';
import { inRootContext } from '../time/root-context.ts';
import { within } from '../time/timeout.ts';
import type { FleetInit, FromFleet, ToFleet } from './fleet-control.ts';

/** Time limit of an orderly end, in ms. */
const END_LIMIT_MS = 1_000;

/** One life of the fleet thread, as its host sees it. */
export class FleetWorker {
  /** Resolves with the reason once the thread is gone. */
  readonly exited: Promise<unknown>;
  readonly #worker: Worker;
  readonly #control: MessagePort;

  /** @param entry file of the thread's entry */
  constructor(
    entry: string,
    init: Omit<FleetInit, 'control' | 'clock'>,
    receive: (message: FromFleet) => void,
  ) {
    const { port1, port2 } = inRootContext(() => new MessageChannel());
    this.#control = port1;
    const execArgv = threadFlags(process.execArgv);
    const workerData: FleetInit = { ...init, control: port2, clock: clockEpoch() };
    this.#worker = inRootContext(
      () =>
        new Worker(entry, {
          workerData,
          transferList: init.redis === undefined ? [port2] : [port2, init.redis],
          name: 'inserve fleet',
          ...(execArgv && { execArgv }),
        }),
    );
    this.#worker.unref();
    // The process stays alive until the thread works, or is known not to.
    inRootContext(() =>
      port1.on('message', (message: FromFleet) => {
        if (message.type === 'listening' || message.type === 'failed') port1.unref();
        receive(message);
      }),
    );
    this.exited = this.#exit();
  }

  post(message: ToFleet, transfer: readonly MessagePort[] = []): void {
    this.#control.postMessage(message, transfer);
  }

  /** Ends the thread, at the latest after a second. */
  async close(): Promise<void> {
    this.post({ type: 'close' });
    await within(END_LIMIT_MS, this.exited, undefined);
    await this.#worker.terminate();
  }

  /** Ends the thread at once. */
  destroy(): void {
    void this.#worker.terminate();
  }

  #exit(): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    let failure: unknown;
    this.#worker.on('error', (error) => {
      failure ??= error;
    });
    this.#worker.on('exit', (code) => {
      this.#control.close();
      resolve(failure ?? new Error(`the thread exited with code ${code}`));
    });
    return promise;
  }
}
