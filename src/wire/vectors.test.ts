import { readFileSync } from 'node:fs';
import { describe, expect, test, vi } from 'vitest';
import { GREETINGS, LARGE, VECTORS } from '../../test/fixtures/wire/wire-vectors.ts';
import { isSameGraph } from '../../test/support/graph.ts';
import { Inbox, streamPair } from '../../test/support/wire/pair.ts';
import { FRAME } from '../channel/frames.ts';
import { shakeHands } from './handshake.ts';
import { linkKeys, proofOf } from './keys.ts';
import { Link } from './link.ts';
import type { LinkSocket, LinkSocketEvents } from './link-socket.ts';
import { headOf } from './message.ts';
import { PEER_FRAME } from './peer-frames.ts';
import { LinkSecurity } from './security.ts';
import { StreamLinkSocket } from './stream-link.ts';

const nonces = vi.hoisted(() => ({ next: '' }));
vi.mock('node:crypto', async (original) => ({
  ...(await original<typeof import('node:crypto')>()),
  randomBytes: () => Buffer.from(nonces.next, 'hex'),
}));

type Step = 'hello' | 'challenge' | 'proof' | 'welcome';

interface VectorFile {
  readonly messages: Readonly<Record<string, string>>;
  readonly ping: string;
  readonly large: Readonly<Record<'announcement' | 'part' | 'abandon', string>>;
  readonly keys: Readonly<Record<'secret' | 'fleet' | 'id' | 'preShared' | 'proof', string>>;
  readonly handshake: Readonly<Record<Step, string>> & { readonly parts: readonly string[] };
}

const file: VectorFile = JSON.parse(
  readFileSync(new URL('../../test/fixtures/wire/wire-vectors.json', import.meta.url), 'utf8'),
);
const { messages, ping, large, keys, handshake } = file;

/** Keeps what is sent, and hands over what is given to it. */
class RecordingSocket implements LinkSocket {
  readonly sent: string[] = [];
  readonly unsent = 0;
  #events: LinkSocketEvents | undefined = undefined;

  listen(events: LinkSocketEvents): void {
    this.#events = events;
  }

  send(pieces: readonly Uint8Array[]): void {
    this.sent.push(Buffer.concat(pieces).toString('hex'));
  }

  give(hex: string): void {
    this.#events?.message([Buffer.from(hex, 'hex')]);
  }

  close(): void {}
  destroy(): void {}
}

/** The messages that a link sends for one frame, in hexadecimal digits. */
function messagesOf(frame: readonly unknown[]): readonly string[] {
  const socket = new RecordingSocket();
  new Link(socket, new Inbox()).post(frame);
  return socket.sent;
}

describe('the bytes of the protocol are those of the vectors', () => {
  test('all of them', () => {
    expect(Object.keys(messages)).toEqual(Object.keys(VECTORS));
  });

  test('which has one for each kind of frame that instances send', () => {
    const { ping, large, part, abandon, hello, challenge, proof, welcome } = PEER_FRAME;
    const kinds = new Set<unknown>([ping, large, part, abandon, hello, challenge, proof, welcome]);
    for (const [kind] of Object.values(VECTORS)) kinds.add(kind);
    const onlyThreads: unknown[] = [FRAME.slots, FRAME.returned];
    const all = [
      ...Object.values(FRAME).filter((kind) => !onlyThreads.includes(kind)),
      ...Object.values(PEER_FRAME),
    ];
    expect(all.filter((kind) => !kinds.has(kind))).toEqual([]);
  });

  test.each(Object.entries(VECTORS))('%s', async (name, frame) => {
    expect(messagesOf(frame)).toEqual([messages[name]]);
    const [a, b] = streamPair();
    const inbox = new Inbox();
    new Link(new StreamLinkSocket(b), inbox);
    const message = Buffer.from(messages[name] ?? '', 'hex');
    expect(headOf([message]).head.length).toBe(message.length - 4);
    new StreamLinkSocket(a).send([message]);
    const [arrived] = await inbox.first(1);
    expect(isSameGraph(arrived, frame)).toBe(true);
  });

  test('a ping, which is answered', () => {
    expect(messagesOf([PEER_FRAME.ping, 1])).toEqual([ping]);
    const socket = new RecordingSocket();
    new Link(socket, new Inbox());
    socket.give(ping);
    expect(socket.sent).toEqual([messages['pong']]);
  });

  test('a large frame in parts, and its end before they have come', () => {
    const zeros = '00'.repeat((LARGE[2] as ArrayBuffer).byteLength);
    expect(messagesOf(LARGE)).toEqual([large.announcement, large.part + zeros]);
    expect(messagesOf([PEER_FRAME.abandon, 7])).toEqual([large.abandon]);
    const socket = new RecordingSocket();
    const inbox = new Inbox();
    new Link(socket, inbox);
    socket.give(large.announcement);
    socket.give(large.abandon);
    socket.give(large.announcement);
    expect(inbox.received).toEqual([]);
    socket.give(large.part + zeros);
    expect(isSameGraph(inbox.received, [LARGE])).toBe(true);
  });

  test('keys, and a proof', () => {
    const own = linkKeys(keys.secret, keys.fleet);
    expect([own.id, own.preShared.toString('hex'), own.proof.toString('hex')]).toEqual([
      keys.id,
      keys.preShared,
      keys.proof,
    ]);
    const mac = proofOf(own.proof, handshake.parts);
    expect(Buffer.from(handshake.proof, 'hex').toString('latin1')).toContain(mac);
  });

  test.each(['dialer', 'listener'] as const)('a handshake, as the %s has it', (role) => {
    const steps: readonly Step[] = ['hello', 'challenge', 'proof', 'welcome'];
    const { nonce, ...self } = GREETINGS[role];
    nonces.next = nonce;
    const security = new LinkSecurity({ fleet: keys.fleet, secrets: [keys.secret], trustNetwork: true });
    const socket = new RecordingSocket();
    const opened = vi.fn();
    const failed = vi.fn();
    shakeHands(socket, { role, self, security, binding: '', onOpen: opened, onFailed: failed });
    const sends = (step: Step): boolean => (step === 'hello' || step === 'proof') === (role === 'dialer');
    for (const step of steps) if (!sends(step)) socket.give(handshake[step]);
    expect(socket.sent).toEqual(steps.filter(sends).map((step) => handshake[step]));
    expect(failed).not.toHaveBeenCalled();
    const { nonce: _, ...peer } = GREETINGS[role === 'dialer' ? 'listener' : 'dialer'];
    expect(opened).toHaveBeenCalledWith(expect.objectContaining({ ...peer, role, version: 1 }));
  });
});

test('docs/wire.md names each kind of frame between instances', () => {
  const page = readFileSync(new URL('../../docs/wire.md', import.meta.url), 'utf8');
  const missing = Object.entries(PEER_FRAME).filter(([name, kind]) => !page.includes(`${kind} \`${name}\``));
  expect(missing).toEqual([]);
});
