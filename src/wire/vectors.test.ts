import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { VECTORS } from '../../test/fixtures/wire/wire-vectors.ts';
import { isSameGraph } from '../../test/support/graph.ts';
import { Inbox, streamPair } from '../../test/support/wire/pair.ts';
import { linkKeys, proofOf } from './keys.ts';
import { Link } from './link.ts';
import { headOf } from './message.ts';
import { StreamLinkSocket } from './stream-link.ts';

interface VectorFile {
  readonly messages: Readonly<Record<string, string>>;
  readonly keys: Readonly<Record<'secret' | 'fleet' | 'id' | 'preShared' | 'proof', string>>;
  readonly proof: { readonly parts: readonly string[]; readonly mac: string };
}

const file: VectorFile = JSON.parse(
  readFileSync(new URL('../../test/fixtures/wire/wire-vectors.json', import.meta.url), 'utf8'),
);

/** The message that a link sends for one frame, in hexadecimal digits. */
function messageOf(frame: readonly unknown[]): string {
  const [stream] = streamPair();
  const socket = new StreamLinkSocket(stream);
  let sent: readonly Uint8Array[] = [];
  socket.send = (pieces) => {
    sent = pieces;
  };
  new Link(socket, new Inbox()).post(frame);
  return Buffer.concat(sent).toString('hex');
}

describe('the bytes of the protocol are those of the vectors', () => {
  test('all of them', () => {
    expect(Object.keys(file.messages)).toEqual(Object.keys(VECTORS));
  });

  test.each(Object.entries(VECTORS))('%s', async (name, frame) => {
    expect(messageOf(frame)).toBe(file.messages[name]);
    const [a, b] = streamPair();
    const inbox = new Inbox();
    new Link(new StreamLinkSocket(b), inbox);
    const message = Buffer.from(file.messages[name] ?? '', 'hex');
    expect(headOf([message]).head.length).toBe(message.length - 4);
    new StreamLinkSocket(a).send([message]);
    const [arrived] = await inbox.first(1);
    expect(isSameGraph(arrived, frame)).toBe(true);
  });

  test('keys', () => {
    const { secret, fleet, id, preShared, proof } = file.keys;
    const keys = linkKeys(secret, fleet);
    expect(keys.id).toBe(id);
    expect(keys.preShared.toString('hex')).toBe(preShared);
    expect(keys.proof.toString('hex')).toBe(proof);
    expect(proofOf(keys.proof, file.proof.parts)).toBe(file.proof.mac);
  });
});
