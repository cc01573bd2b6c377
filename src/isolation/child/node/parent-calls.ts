import { CANCEL_CODE, FRAME, type FrameKind, frameLength } from '../../../channel/frames.ts';
import type { FrameTransport } from '../../../channel/transport.ts';

/** A call under way, by its id on the link. */
interface OpenCall {
  /** Undefined once its channel is closed: the rest of its frames is dropped. */
  transport: RouteTransport | undefined;
  /** Id of the call in its channel. */
  readonly slot: number;
}

/** Lets the channels of several routes share one transport: each call gets an id that is unique on the link. */
export class SharedTransport {
  readonly #shared: FrameTransport;
  readonly #open: Array<OpenCall | undefined> = [];
  readonly #free: number[] = [];

  constructor(shared: FrameTransport) {
    this.#shared = shared;
    shared.onFrames((frames) => this.#receive(frames));
  }

  /** A transport for one more channel. */
  open(): FrameTransport {
    return new RouteTransport(this);
  }

  /** Sends frames of a channel. @param ids of the open calls of the channel on the link, by slot */
  post(transport: RouteTransport, frames: readonly unknown[], ids: number[]): void {
    const translated = frames.slice();
    const begun: number[] = [];
    for (let at = 0; at < frames.length; at += frameLength(frames, at)) {
      const kind = frames[at];
      const slot = frames[at + 1] as number;
      if (kind === FRAME.call || kind === FRAME.callExtra) {
        const id = this.#free.pop() ?? this.#open.length;
        this.#open[id] = { transport, slot };
        ids[slot] = id;
        begun.push(id);
      }
      translated[at + 1] = ids[slot];
    }
    try {
      this.#shared.post(translated, undefined);
    } catch (error) {
      // No frame was sent.
      for (const id of begun) this.#end(id);
      throw error;
    }
  }

  /** A channel is closed. Its calls are cancelled. */
  closed(transport: RouteTransport): void {
    const cancels: unknown[] = [];
    for (const [id, call] of this.#open.entries()) {
      if (call?.transport !== transport) continue;
      call.transport = undefined;
      cancels.push(FRAME.cancel, id, CANCEL_CODE.cancelled);
    }
    if (cancels.length > 0) this.#shared.post(cancels, undefined);
  }

  #receive(frames: readonly unknown[]): void {
    for (let at = 0; at < frames.length; ) {
      const length = frameLength(frames, at);
      const id = frames[at + 1] as number;
      const call = this.#open[id];
      if (call !== undefined) {
        const frame = frames.slice(at, at + length);
        frame[1] = call.slot;
        if (LAST.has(frame[0] as FrameKind)) this.#end(id);
        call.transport?.deliver(frame);
      }
      at += length;
    }
  }

  #end(id: number): void {
    this.#open[id] = undefined;
    this.#free.push(id);
  }
}

/** The frames that end a call. */
const LAST: ReadonlySet<FrameKind> = new Set([FRAME.result, FRAME.resultMarked, FRAME.error, FRAME.end]);

class RouteTransport implements FrameTransport {
  readonly #owner: SharedTransport;
  readonly #ids: number[] = [];
  #onFrames: (frames: unknown[]) => void = () => {};

  constructor(owner: SharedTransport) {
    this.#owner = owner;
  }

  post(frames: readonly unknown[]): void {
    this.#owner.post(this, frames, this.#ids);
  }

  deliver(frames: unknown[]): void {
    this.#onFrames(frames);
  }

  onFrames(listener: (frames: unknown[]) => void): void {
    this.#onFrames = listener;
  }

  onUnreadable(): void {}

  /** The process ends with its link. */
  onClosed(): void {}

  *takeRest(): Generator<unknown[]> {}

  ref(): void {}

  unref(): void {}

  close(): void {
    this.#owner.closed(this);
  }
}
