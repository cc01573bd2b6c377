import { Duplex } from 'node:stream';
import type { Frame } from '../../../src/wire/large-receiver.ts';
import { Link } from '../../../src/wire/link.ts';
import type { LinkEvents, LinkOptions } from '../../../src/wire/link-options.ts';
import { StreamLinkSocket } from '../../../src/wire/stream-link.ts';

/** Two ends of one connection in memory. @param pieceBytes what is written arrives in pieces of so many bytes */
export function streamPair(pieceBytes = Infinity): [Duplex, Duplex] {
  const make = (other: () => Duplex): Duplex =>
    new Duplex({
      read() {},
      write(bytes, _encoding, done) {
        for (let at = 0; at < bytes.length; at += pieceBytes)
          other().push(bytes.subarray(at, at + pieceBytes));
        setImmediate(done);
      },
      final(done) {
        other().push(null);
        done();
      },
      destroy(error, done) {
        if (!other().destroyed) other().destroy();
        done(error);
      },
    });
  const a: Duplex = make(() => b);
  const b: Duplex = make(() => a);
  return [a, b];
}

/** Collects what a link says. */
export class Inbox implements LinkEvents {
  readonly received: Frame[] = [];
  readonly ended: Promise<Error | undefined>;
  messages = 0;
  readonly #end: (error: Error | undefined) => void;
  #awaited: { count: number; resolve: () => void } | undefined;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    this.ended = promise;
    this.#end = resolve;
  }

  frames(frames: readonly Frame[]): void {
    this.messages++;
    this.received.push(...frames);
    if (this.#awaited !== undefined && this.received.length >= this.#awaited.count) this.#awaited.resolve();
  }

  closed(error: Error | undefined): void {
    this.#end(error);
  }

  /** The first frames, once so many have come. */
  async first(count: number): Promise<readonly Frame[]> {
    if (this.received.length < count) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#awaited = { count, resolve };
      await promise;
    }
    return this.received.slice(0, count);
  }
}

export interface LinkPair extends Disposable {
  readonly a: Link;
  readonly b: Link;
  readonly inboxA: Inbox;
  readonly inboxB: Inbox;
  /** The streams below. */
  readonly streams: readonly [Duplex, Duplex];
}

/** Two links over a connection in memory. */
export function linkPair(
  optionsA: LinkOptions = {},
  optionsB: LinkOptions = {},
  pieceBytes = Infinity,
): LinkPair {
  const streams = streamPair(pieceBytes);
  const [inboxA, inboxB] = [new Inbox(), new Inbox()];
  const a = new Link(new StreamLinkSocket(streams[0]), inboxA, optionsA);
  const b = new Link(new StreamLinkSocket(streams[1]), inboxB, optionsB);
  return {
    a,
    b,
    inboxA,
    inboxB,
    streams,
    [Symbol.dispose]() {
      a.destroy();
      b.destroy();
    },
  };
}
