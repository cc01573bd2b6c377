import { FRAME } from '../../../src/channel/frames.ts';
import { CallLink } from '../../../src/cluster/peers/call-link.ts';
import { PeerChannel } from '../../../src/cluster/peers/peer-channel.ts';
import { PeerCounts } from '../../../src/cluster/peers/peer-counts.ts';
import { SharedWindow } from '../../../src/cluster/peers/windows/shared-window.ts';
import { UNKNOWN_CONFIG } from '../../../src/handle/call/route-config.ts';
import { RESERVED } from '../../../src/load/load-table.ts';
import { now } from '../../../src/time/clock.ts';
import { loop } from '../../../src/time/loop.ts';
import { Codec } from '../../../src/wire/codec.ts';
import type { LinkSocket } from '../../../src/wire/link-socket.ts';
import { headOf } from '../../../src/wire/message.ts';
import { frameAt, PEER_FRAME } from '../../../src/wire/peer-frames.ts';
import { RecordedCall } from '../link.ts';

const ENDPOINT = 3;
const METHODS = ['first', 'second'];

/** A channel to a peer that a test plays, with the frames that the channel has sent. */
export class LinkedChannel {
  /** Slots of the messages that were sent, in order. */
  readonly sent: unknown[][] = [];
  readonly counts = new PeerCounts();
  readonly channel: PeerChannel;
  readonly #window = new SharedWindow(now);
  /** The link that is open, or was the last one. */
  link: CallLink;
  /** Number of unsent bytes of the link. */
  unsent = 0;
  /** Number of bytes by which each part of a large frame adds to them. */
  partBytes = 0;
  /** Callbacks of the messages that the socket has not written. */
  readonly #writing: Array<() => void> = [];
  /** Whether the socket of the last link was ended at once, with what it had to write. */
  isDestroyed = false;
  /** Whether the peer can be reached. */
  isDown = false;

  constructor() {
    const linked = this;
    const peer = {
      instance: 'peer',
      counts: this.counts,
      get isDown() {
        return linked.isDown;
      },
      dial() {},
    };
    const target = { endpoint: ENDPOINT, methods: METHODS };
    this.channel = new PeerChannel(peer, target, () => {}, this.#window);
    this.link = this.#open();
  }

  /** Opens another link after the channel has lost one. */
  relink(): void {
    this.link = this.#open();
  }

  #open(): CallLink {
    const codec = new Codec();
    const linked = this;
    const socket: LinkSocket = {
      get unsent() {
        return linked.unsent;
      },
      listen() {},
      send: (pieces, onWritten) => {
        this.sent.push(codec.decode(headOf(pieces).head));
        if (onWritten === undefined) return;
        this.unsent += this.partBytes;
        this.#writing.push(onWritten);
      },
      close() {},
      destroy: () => {
        this.isDestroyed = true;
      },
    };
    const session = { role: 'dialer', version: 1, instance: 'peer', epoch: 1, views: 16, rttMs: 1 } as const;
    const link = new CallLink(
      { ...session, maxPayload: 2_000_000 },
      socket,
      2_000_000,
      {
        endpoints() {},
        window: (_endpoint, calls) => this.#window.told(calls),
        draining: () => this.channel.stop(),
        pong() {},
        drained: () => this.channel.sendWaiting(),
        closed: (error) => this.channel.unlinked(error),
      },
      this.counts,
    );
    this.channel.linked(link);
    return link;
  }

  /** The peer describes replicas with so many places. */
  describe(places: number): void {
    this.channel.update({
      number: ENDPOINT,
      app: 'app',
      deployment: 'Model',
      version: 'v1',
      methods: METHODS,
      revision: 1,
      places,
      replicas: [{ number: 1, id: 'Model#1' }],
      isIngress: true,
      config: UNKNOWN_CONFIG,
      maxQueued: -1,
    });
  }

  /** Sends a call, if the channel has room. */
  send(call: RecordedCall = new RecordedCall('first', [])): RecordedCall | undefined {
    if (this.channel.reserve() !== RESERVED.ok) return undefined;
    this.channel.send(call);
    return call;
  }

  /** The socket writes everything that is sent, and what is sent next. */
  write(): void {
    for (let written = this.#writing.shift(); written !== undefined; written = this.#writing.shift())
      written();
  }

  /** The peer answers a call. */
  answer(id: number): void {
    this.link.frames([[FRAME.result, id, 'answer']]);
  }

  /** The peer says how many calls may be under way. */
  open(calls: number): void {
    this.link.frames([[PEER_FRAME.window, ENDPOINT, calls]]);
  }

  /** The peer finds no place for a call. @param id of the call on the link, in the order in which ids came free */
  refuse(id: number, window: number): void {
    this.link.frames([[PEER_FRAME.refused, id, window]]);
  }

  /** The frames that were sent, in order. */
  get frames(): Array<readonly unknown[]> {
    return this.sent.flatMap((slots) => {
      const frames: Array<readonly unknown[]> = [];
      for (let at = 0; at < slots.length; ) {
        const { frame, next } = frameAt(slots, at);
        if (frame !== undefined) frames.push(frame);
        at = next;
      }
      return frames;
    });
  }

  /** Number of times that the channel declined a turn. */
  get declined(): number {
    loop.flush();
    const slots = this.sent.flat();
    return slots.filter(
      (slot, index) => slot === PEER_FRAME.window && slots[index + 2] === ENDPOINT && slots[index + 3] === 0,
    ).length;
  }
}
