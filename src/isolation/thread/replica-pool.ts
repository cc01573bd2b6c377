import type { Worker, WorkerOptions } from 'node:worker_threads';
import { DynamicThreadPool, type IWorkerNode, type MessageValue } from 'poolifier';
import type { ThreadPool, ThreadWorker } from './thread.ts';

/** Poolifier requires a maximum; this one is above the number of threads that a deployment ever has. */
const MAX_THREADS = 2_048;

/**
 * The one file that touches poolifier. A pool of a deployment owns its threads: it creates, handshakes and lists
 * them. Its `execute()` is not used: a crash leaves those promises pending for ever, an abort never reaches
 * user code, and a call costs ten times the CPU (docs/decisions/002-poolifier.md).
 *
 * Pinned to exactly 5.3.2: the next major (poolifier#3211) changes the protected members used here.
 */
export class ReplicaPool implements ThreadPool {
  readonly isPooled = true;
  readonly #pool: Threads;

  constructor(entry: string) {
    this.#pool = new Threads(entry);
  }

  /** A thread that exits leaves the pool by itself. */
  spawn(options: WorkerOptions): ThreadWorker {
    return this.#pool.spawn(options).worker;
  }
}

type Node = IWorkerNode<Worker, unknown>;

class Threads extends DynamicThreadPool<unknown, unknown> {
  constructor(entry: string) {
    // Without a minimum the pool's `exit` handler refills nothing: the deployment decides which replica is restarted, and when.
    super(0, MAX_THREADS, entry, {
      enableEvents: false,
      restartWorkerOnError: false,
      // Without weights poolifier estimates the CPU's speed, which is noise in virtual machines.
      workerChoiceStrategyOptions: {
        weights: Object.fromEntries(Array.from({ length: MAX_THREADS }, (_, i) => [i, 1])),
      },
    });
  }

  /** A thread that dies at its start may have sent `ready`: poolifier throws at a message from a worker that it has removed. */
  protected override registerWorkerMessageListener<Message>(
    workerNodeKey: number,
    listener: (message: MessageValue<Message>) => void,
  ): void {
    super.registerWorkerMessageListener<Message>(workerNodeKey, (message) => {
      if (this.workerNodes.some(({ info }) => info.id === message.workerId)) listener(message);
    });
  }

  /** Only `spawn` makes threads. */
  protected override shallCreateDynamicWorker(): boolean {
    return false;
  }

  spawn(options: WorkerOptions): Node {
    this.opts.workerOptions = options;
    const node = this.workerNodes[this.createAndSetupWorkerNode()];
    if (node === undefined) throw new Error('poolifier created no worker');
    // Idle threads and their channels must not keep the app alive.
    node.worker.unref();
    node.messageChannel?.port1.unref();
    return node;
  }
}
