import type { PeerAddress } from '../fleet-options.ts';
import type { FleetFrame, LinkEnd } from '../node/events.ts';
import { causeOf } from '../peers/health/dial-failure.ts';
import type { PeerClient } from '../peers/peer-client.ts';
import type { MemberLinks } from './fleet-member.ts';

/** Makes the connections to the members, and hears of them. */
export interface MemberPeersOptions {
  /** Keeps a link to an instance at an address. */
  open(instance: string, address: PeerAddress): PeerClient;
  /** Documents can be sent to the instance. */
  up(instance: string): void;
  down(instance: string, cause: LinkEnd): void;
}

interface MemberPeer {
  readonly address: string;
  readonly client: PeerClient;
}

/** The fleet thread's own links to the other members: over them instances tell each other what they are and have. */
export class MemberPeers implements MemberLinks {
  readonly #options: MemberPeersOptions;
  readonly #peers = new Map<string, MemberPeer>();

  constructor(options: MemberPeersOptions) {
    this.#options = options;
  }

  dial(peer: string, address: string): void {
    const known = this.#peers.get(peer);
    if (known?.address === address) {
      known.client.dial();
      return;
    }
    known?.client.close(new Error(`instance ${peer} has another address`));
    const at = addressOf(address);
    if (at === undefined) return;
    this.#peers.set(peer, { address, client: this.#options.open(peer, at) });
  }

  /** The client of the member at an address. */
  at({ host, port }: PeerAddress): PeerClient | undefined {
    for (const { address, client } of this.#peers.values()) {
      const own = addressOf(address);
      if (own?.host === host && own.port === port) return client;
    }
    return undefined;
  }

  /** The connections to all members. */
  *clients(): Generator<PeerClient> {
    for (const { client } of this.#peers.values()) yield client;
  }

  /** Round trip to a member, in ms; 0 = unknown. */
  rttTo(peer: string): number {
    return this.#peers.get(peer)?.client.rttMs ?? 0;
  }

  send(peer: string, frame: FleetFrame): void {
    this.#peers.get(peer)?.client.control(frame);
  }

  up(peer: string): void {
    if (this.#peers.has(peer)) this.#options.up(peer);
  }

  /** @param error undefined: the link was open, and broke */
  down(peer: string, error: Error | undefined): void {
    this.#options.down(peer, error === undefined ? 'closed' : causeOf(error));
  }

  /** An instance that calls is called back at once, as long as no link leads there. */
  heard(peer: string, document: unknown): void {
    if (this.#peers.has(peer) || typeof document !== 'object' || document === null) return;
    const record: unknown = Reflect.get(document, 'record');
    if (typeof record !== 'object' || record === null || Reflect.get(record, 'id') !== peer) return;
    const address: unknown = Reflect.get(record, 'address');
    if (typeof address === 'string') this.dial(peer, address);
  }

  /** The instance is dead, as the fleet sees it. */
  forget(peer: string): void {
    const known = this.#peers.get(peer);
    this.#peers.delete(peer);
    known?.client.close(new Error(`instance ${peer} is no longer part of the fleet`));
  }

  close(error: Error): void {
    for (const { client } of this.#peers.values()) client.close(error);
    this.#peers.clear();
  }
}

/** Reads `host:port`, IPv6 in brackets; undefined for any other text. */
function addressOf(text: string): PeerAddress | undefined {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  return host === undefined ? undefined : { host, port: Number(port) };
}
