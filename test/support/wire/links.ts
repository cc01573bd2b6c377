import { readFileSync } from 'node:fs';
import { AddressFilter } from '../../../src/wire/addresses.ts';
import { type DialOptions, dialLink } from '../../../src/wire/dialer.ts';
import type { Introduction, Session } from '../../../src/wire/handshake.ts';
import { Link } from '../../../src/wire/link.ts';
import { type LinkListener, type ListenOptions, listenForLinks } from '../../../src/wire/listener.ts';
import { type LinkCertificates, LinkSecurity, type LinkSecurityOptions } from '../../../src/wire/security.ts';
import { FaultCounts } from '../../../src/wire/wire-error.ts';
import { Inbox } from './pair.ts';

export const SECRET = 'a secret of the fleet, for tests!';
export const OTHER_SECRET = 'another secret of 32 bytes, at least';
export const LOOPBACK: AddressFilter = new AddressFilter({ networks: ['127.0.0.0/8', '::1/128'] });

/** Certificates of a fleet's own authority, or of another one. */
export function certificates(of: 'fleet' | 'other', trusted: 'fleet' | 'other' = of): LinkCertificates {
  const read = (name: string): Buffer => readFileSync(new URL(`../../fixtures/tls/${name}`, import.meta.url));
  return { cert: read(`${of}.pem`), key: read(`${of}.key`), ca: read(`${trusted}-ca.pem`) };
}

export function security(options: Partial<LinkSecurityOptions> = {}): LinkSecurity {
  return new LinkSecurity({ fleet: 'test', secrets: [SECRET], ...options });
}

export function introduction(instance: string, more: Partial<Introduction> = {}): Introduction {
  return { instance, epoch: 1, maxPayload: 67_108_864, ...more };
}

/** An open link, and what it says. */
export interface OpenLink {
  readonly session: Session;
  readonly link: Link;
  readonly inbox: Inbox;
}

export interface TestListener extends AsyncDisposable {
  readonly listener: LinkListener;
  readonly counts: FaultCounts;
  readonly links: OpenLink[];
  /** The next link that is accepted. */
  next(): Promise<OpenLink>;
}

/** Listens on 127.0.0.1. */
export async function listening(options: Partial<ListenOptions> = {}): Promise<TestListener> {
  const counts = new FaultCounts();
  const links: OpenLink[] = [];
  let waiting: Array<(link: OpenLink) => void> = [];
  const listener = await listenForLinks({
    host: '127.0.0.1',
    port: 0,
    security: security(),
    self: introduction('listener'),
    counts,
    onLink: (session, socket) => {
      const inbox = new Inbox();
      const link = new Link(socket, inbox, {
        counts,
        peerMaxPayload: session.maxPayload,
        peerViews: session.views,
      });
      links.push({ session, link, inbox });
      for (const resolve of waiting) resolve({ session, link, inbox });
      waiting = [];
    },
    ...options,
  });
  return {
    listener,
    counts,
    links,
    next: () => new Promise((resolve) => waiting.push(resolve)),
    async [Symbol.asyncDispose]() {
      for (const { link } of links) link.destroy();
      await listener.close();
    },
  };
}

/** Dials 127.0.0.1. */
export async function dialling(
  port: number,
  options: Partial<DialOptions> = {},
): Promise<OpenLink & Disposable> {
  return await dialLink(
    {
      host: '127.0.0.1',
      port,
      allow: LOOPBACK,
      security: security(),
      self: introduction('dialer'),
      ...options,
    },
    (session, socket) => {
      const inbox = new Inbox();
      const link = new Link(socket, inbox, { peerMaxPayload: session.maxPayload, peerViews: session.views });
      return { session, link, inbox, [Symbol.dispose]: () => link.destroy() };
    },
  );
}
