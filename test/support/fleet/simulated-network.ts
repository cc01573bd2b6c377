import type { FleetFrame, LinkEnd } from '../../../src/cluster/node/events.ts';
import type { World } from './world.ts';

/** A ping without an answer ends a link after so long, in ms. */
const PING_TIMEOUT_MS = 8_000;
const DIAL_TIMEOUT_MS = 3_000;

export interface Peer {
  readonly id: string;
  /** Its process is there: connections are accepted or refused at once. */
  readonly isListening: boolean;
  /** It runs: it answers pings. */
  readonly isResponding: boolean;
  linkUp(peer: string): void;
  linkDown(peer: string, cause: LinkEnd): void;
  receive(peer: string, frame: FleetFrame): void;
}

interface Link {
  readonly ends: readonly [string, string];
  isOpen: boolean;
  /** When the last frame of each direction arrives: frames keep their order. */
  readonly arrival: Map<string, number>;
}

/** Links between instances: ordered, delayed, and cut in one direction or both. */
export class SimulatedNetwork {
  readonly #world: World;
  readonly #peers = new Map<string, Peer>();
  readonly #links = new Map<string, Link>();
  /** Directions in which nothing passes. */
  readonly #blocked = new Set<string>();
  latencyMs = 0.3;

  constructor(world: World) {
    this.#world = world;
  }

  add(peer: Peer): void {
    this.#peers.set(peer.id, peer);
  }

  dial(from: string, to: string): void {
    if (this.#links.has(pairOf(from, to))) return;
    const target = this.#peers.get(to);
    const fail = (ms: number, cause: LinkEnd): void =>
      this.#world.after(ms, () => {
        if (!this.#links.has(pairOf(from, to))) this.#peers.get(from)?.linkDown(to, cause);
      });
    if (this.#isCut(from, to)) {
      fail(DIAL_TIMEOUT_MS, 'timeout');
      return;
    }
    if (target?.isListening !== true) {
      fail(this.#latency(), 'refused');
      return;
    }
    if (!target.isResponding) {
      fail(DIAL_TIMEOUT_MS, 'timeout');
      return;
    }
    const link: Link = { ends: [from, to], isOpen: false, arrival: new Map() };
    this.#links.set(pairOf(from, to), link);
    this.#world.after(2 * this.#latency(), () => this.#open(link));
  }

  send(from: string, to: string, frame: FleetFrame): void {
    const link = this.#links.get(pairOf(from, to));
    if (link?.isOpen !== true || this.#blocked.has(`${from}>${to}`)) return;
    const at = Math.max(this.#world.now + this.#latency(), (link.arrival.get(from) ?? 0) + 0.001);
    link.arrival.set(from, at);
    this.#world.after(at - this.#world.now, () => {
      if (link.isOpen) this.#peers.get(to)?.receive(from, frame);
    });
  }

  /** Lets nothing pass from one instance to another any more. */
  block(from: string, to: string): void {
    this.#blocked.add(`${from}>${to}`);
    this.checkLater(from, to);
  }

  unblock(from: string, to: string): void {
    this.#blocked.delete(`${from}>${to}`);
  }

  /** The process has ended: its kernel closes its connections. */
  closeAll(id: string): void {
    for (const link of [...this.#links.values()]) {
      if (!link.ends.includes(id)) continue;
      const other = link.ends[0] === id ? link.ends[1] : link.ends[0];
      if (this.#isCut(id, other)) this.checkLater(id, other);
      else this.#world.after(this.#latency(), () => this.#close(link, 'closed'));
    }
  }

  /** Ends the link of two instances once pings have failed for too long. */
  checkLater(a: string, b: string): void {
    const link = this.#links.get(pairOf(a, b));
    if (link === undefined) return;
    this.#world.after(PING_TIMEOUT_MS, () => {
      const [one, other] = link.ends.map((id) => this.#peers.get(id));
      const isFine = one?.isResponding === true && other?.isResponding === true && !this.#isCut(a, b);
      if (!isFine) this.#close(link, 'timeout');
    });
  }

  linksOf(id: string): string[] {
    return [...this.#links.values()]
      .filter(({ ends, isOpen }) => isOpen && ends.includes(id))
      .map(({ ends }) => (ends[0] === id ? ends[1] : ends[0]));
  }

  #open(link: Link): void {
    const [from, to] = link.ends;
    if (this.#links.get(pairOf(from, to)) !== link) return;
    const [one, other] = [this.#peers.get(from), this.#peers.get(to)];
    if (one?.isResponding !== true || other?.isResponding !== true || this.#isCut(from, to)) {
      this.#links.delete(pairOf(from, to));
      this.#world.after(DIAL_TIMEOUT_MS, () => this.#peers.get(from)?.linkDown(to, 'timeout'));
      return;
    }
    link.isOpen = true;
    other.linkUp(from);
    one.linkUp(to);
  }

  #close(link: Link, cause: LinkEnd): void {
    const [from, to] = link.ends;
    if (this.#links.get(pairOf(from, to)) !== link) return;
    this.#links.delete(pairOf(from, to));
    if (!link.isOpen) {
      this.#peers.get(from)?.linkDown(to, cause);
      return;
    }
    link.isOpen = false;
    this.#peers.get(from)?.linkDown(to, cause);
    this.#peers.get(to)?.linkDown(from, cause);
  }

  #isCut(a: string, b: string): boolean {
    return this.#blocked.has(`${a}>${b}`) || this.#blocked.has(`${b}>${a}`);
  }

  #latency(): number {
    return 0.05 - this.latencyMs * Math.log(1 - this.#world.random());
  }
}

function pairOf(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
