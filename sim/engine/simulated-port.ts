import { EventEmitter } from 'node:events';
import type { MessagePort } from 'node:worker_threads';
import { MESSAGE_MS, type VirtualThread, type VirtualTime } from './virtual-time.ts';

/** One end of a channel whose messages take virtual time. */
class SimulatedPort extends EventEmitter {
  readonly #time: VirtualTime;
  readonly #thread: VirtualThread;
  #other: SimulatedPort | undefined = undefined;
  #isClosed = false;

  constructor(time: VirtualTime, thread: VirtualThread) {
    super();
    this.#time = time;
    this.#thread = thread;
  }

  connect(other: SimulatedPort): void {
    this.#other = other;
    other.#other = this;
  }

  /** Moves memory at once. Other values are passed on as they are. */
  postMessage(message: unknown, transfer: readonly ArrayBuffer[] = []): void {
    const isMoving = transfer.length > 0;
    this.#other?.deliver(
      'message',
      isMoving ? structuredClone(message, { transfer: [...transfer] }) : message,
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#other?.deliver('close', undefined);
    this.#isClosed = true;
    this.emit('close');
  }

  ref(): void {}
  unref(): void {}

  /** Hands something to this end once it has come all the way. */
  deliver(event: 'message' | 'close', value: unknown): void {
    this.#time.inThread(this.#thread, () =>
      this.#time.at(this.#time.now() + MESSAGE_MS, () => {
        if (this.#isClosed) return;
        if (event === 'close') this.#isClosed = true;
        this.emit(event, value);
      }),
    );
  }
}

/** The two ends of a channel between threads. They have all that channels use of a port. */
export function simulatedPorts(
  time: VirtualTime,
  caller: VirtualThread,
  replica: VirtualThread,
): { readonly caller: MessagePort; readonly replica: MessagePort } {
  const [one, other] = [new SimulatedPort(time, caller), new SimulatedPort(time, replica)];
  one.connect(other);
  return { caller: one as unknown as MessagePort, replica: other as unknown as MessagePort };
}
