import { MESSAGE_MS, type VirtualThread, type VirtualTime } from '../../../../sim/engine/virtual-time.ts';
import type { LinkSocket, LinkSocketEvents } from '../../../../src/wire/link-socket.ts';

/** Something that is sent, in order. */
interface Writing {
  readonly bytes: number;
  /** Whether it takes time until the socket has taken the bytes. */
  readonly isSlow: boolean;
  write(): void;
}

/** One end of a connection whose messages take virtual time, and arrive in order. */
export class SimulatedSocket implements LinkSocket {
  unsent = 0;
  /** What is not written. The bytes are read as they are written, and not before. */
  readonly #writing: Writing[] = [];
  readonly #time: VirtualTime;
  readonly #thread: VirtualThread;
  readonly #delayMs: () => number;
  #other: SimulatedSocket | undefined = undefined;
  #events: LinkSocketEvents | undefined = undefined;
  readonly #early: Array<readonly Uint8Array[]> = [];
  #lastAt = 0;
  /** Set once this end hears nothing any more. */
  #isEnded = false;
  /** Whether messages to the other end are lost. */
  isMuted = false;

  constructor(time: VirtualTime, thread: VirtualThread, delayMs: () => number) {
    this.#time = time;
    this.#thread = thread;
    this.#delayMs = delayMs;
  }

  connect(other: SimulatedSocket): void {
    this.#other = other;
    other.#other = this;
  }

  /** The other end. */
  get other(): SimulatedSocket | undefined {
    return this.#other;
  }

  get isEnded(): boolean {
    return this.#isEnded;
  }

  listen(events: LinkSocketEvents): void {
    this.#events = events;
    for (const pieces of this.#early.splice(0)) events.message(pieces);
  }

  send(pieces: readonly Uint8Array[], onWritten?: () => void): void {
    const bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#write({
      bytes,
      isSlow: onWritten !== undefined,
      write: () => {
        const copy = pieces.map((piece) => piece.slice());
        this.#later((other) => other.#received(copy));
        onWritten?.();
      },
    });
  }

  close(): void {
    this.#write({
      bytes: 0,
      isSlow: false,
      write: () => {
        this.#later((other) => other.#end(undefined));
        this.#time.at(this.#time.now() + MESSAGE_MS, () => this.#end(undefined));
      },
    });
  }

  #write(writing: Writing): void {
    if (this.#isEnded) return;
    this.unsent += writing.bytes;
    this.#writing.push(writing);
    if (this.#writing.length === 1) this.#writeNext();
  }

  #writeNext(): void {
    const [next] = this.#writing;
    if (next === undefined) return;
    if (!next.isSlow) {
      this.#written(next);
      return;
    }
    this.#time.inThread(this.#thread, () =>
      this.#time.at(this.#time.now() + this.#delayMs(), () => this.#written(next)),
    );
  }

  #written(writing: Writing): void {
    if (this.#isEnded) return;
    this.#writing.shift();
    this.unsent -= writing.bytes;
    writing.write();
    this.#writeNext();
  }

  destroy(): void {
    this.#later((other) => other.#end(new Error('the connection was reset')));
    this.#isEnded = true;
  }

  /** The connection breaks: what is under way is lost, and both ends hear of it. */
  cut(): void {
    for (const end of [this, this.#other]) {
      if (end === undefined || end.#isEnded) continue;
      end.isMuted = true;
      end.#isEnded = true;
      const events = end.#events;
      this.#time.inThread(end.#thread, () =>
        this.#time.at(this.#time.now() + this.#delayMs(), () =>
          events?.closed(new Error('the connection broke')),
        ),
      );
    }
  }

  /** Does something at the other end once it has come all the way. */
  #later(run: (other: SimulatedSocket) => void): void {
    const other = this.#other;
    if (other === undefined || this.isMuted) return;
    this.#lastAt = Math.max(this.#lastAt, this.#time.now() + this.#delayMs());
    this.#time.inThread(other.#thread, () =>
      this.#time.at(this.#lastAt, () => {
        if (!this.isMuted) run(other);
      }),
    );
  }

  #received(pieces: readonly Uint8Array[]): void {
    if (this.#isEnded) return;
    if (this.#events === undefined) this.#early.push(pieces);
    else this.#events.message(pieces);
  }

  #end(error: Error | undefined): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#events?.closed(error);
  }
}
