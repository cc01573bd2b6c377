import type { Socket } from 'node:net';
import type { ChaosDirection } from './chaos-direction.ts';

/** Bytes that may wait; then the sending side is not read. A socket's own buffers are of that size. */
const MAX_WAITING_BYTES = 1_048_576;

/** The end of the sending side. */
const END = Symbol('end');

interface Waiting {
  readonly item: Buffer | typeof END;
  readonly dueAt: number;
}

/** The bytes of one connection in one direction. */
export class ChaosPipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #direction: ChaosDirection;
  readonly #breakAll: () => void;
  readonly #queue: Waiting[] = [];
  #waitingBytes = 0;
  #passedBytes = 0;
  #lastDueAt = 0;
  /** When the last byte has left at the given rate. */
  #freeAt = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #isTargetFull = false;

  /** @param breakAll breaks the connection, both ways */
  constructor(from: Socket, to: Socket, direction: ChaosDirection, breakAll: () => void) {
    this.#from = from;
    this.#to = to;
    this.#direction = direction;
    this.#breakAll = breakAll;
    from.on('data', (bytes) => this.#arrived(bytes));
    from.on('end', () => this.#ended());
    from.on('error', () => {});
    from.on('close', (hasFailed) => this.#closed(hasFailed));
    to.on('drain', () => {
      this.#isTargetFull = false;
      this.deliver();
    });
    direction.add(this);
  }

  /** Passes on what is due. Called again when the settings have changed. */
  readonly deliver = (): void => {
    clearTimeout(this.#timer);
    const next = this.#queue[0];
    if (next === undefined || this.#isTargetFull || this.#direction.settings.stall === true) return;
    const wait = next.dueAt - performance.now();
    if (wait > 0) {
      this.#timer = setTimeout(this.deliver, Math.ceil(wait));
      return;
    }
    this.#queue.shift();
    this.#pass(next.item);
    // On its own: the next piece is another write, in another turn.
    if (this.#queue.length > 0) this.#timer = setTimeout(this.deliver, 0);
  };

  close(): void {
    clearTimeout(this.#timer);
    this.#direction.remove(this);
    this.#queue.length = 0;
  }

  #arrived(bytes: Buffer): void {
    const { sliceBytes } = this.#direction.settings;
    this.#waitingBytes += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const length =
        sliceBytes === undefined ? bytes.length : 1 + Math.floor(this.#direction.random() * sliceBytes);
      const piece = bytes.subarray(at, at + length);
      at += piece.length;
      this.#add(piece, piece.length);
    }
    if (this.#waitingBytes >= MAX_WAITING_BYTES) this.#from.pause();
  }

  #add(item: Buffer | typeof END, bytes: number): void {
    const { latencyMs = 0, jitterMs = 0, bytesPerSecond } = this.#direction.settings;
    const at = performance.now();
    const sendMs = bytesPerSecond === undefined ? 0 : (bytes / bytesPerSecond) * 1_000;
    this.#freeAt = Math.max(this.#freeAt, at) + sendMs;
    const jitter = jitterMs === 0 ? 0 : this.#direction.random() * jitterMs;
    this.#lastDueAt = Math.max(this.#lastDueAt, this.#freeAt + latencyMs + jitter);
    this.#queue.push({ item, dueAt: this.#lastDueAt });
    if (this.#queue.length === 1) this.deliver();
  }

  #pass(item: Buffer | typeof END): void {
    if (item === END) {
      this.#to.end();
      return;
    }
    const { resetAfterBytes = Infinity } = this.#direction.settings;
    const allowed = item.subarray(0, Math.max(0, resetAfterBytes - this.#passedBytes));
    this.#passedBytes += allowed.length;
    this.#waitingBytes -= item.length;
    if (this.#waitingBytes < MAX_WAITING_BYTES) this.#from.resume();
    if (this.#passedBytes >= resetAfterBytes) {
      // Bytes that have passed are read before the break.
      this.#to.write(allowed, this.#breakAll);
      return;
    }
    this.#isTargetFull = !this.#to.write(allowed);
  }

  #ended(): void {
    if (this.#direction.settings.halfOpen !== true) this.#add(END, 0);
  }

  /** A break is passed on at once, as a packet would be that is not delayed. */
  #closed(hasFailed: boolean): void {
    if (hasFailed && this.#direction.settings.halfOpen !== true) this.#breakAll();
  }
}
