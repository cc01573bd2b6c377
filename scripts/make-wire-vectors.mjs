/** Writes `test/fixtures/wire/wire-vectors.json` anew. A vector that changes is a new version of the protocol. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { linkKeys, proofOf } from '../src/wire/keys.ts';
import { Link } from '../src/wire/link.ts';
import { VECTORS } from '../test/fixtures/wire/wire-vectors.ts';

function messageOf(frame) {
  let sent = [];
  const socket = {
    unsent: 0,
    listen() {},
    send(pieces) {
      sent = pieces;
    },
    close() {},
    destroy() {},
  };
  new Link(socket, { frames() {}, closed() {} }).post(frame);
  return Buffer.concat(sent).toString('hex');
}

const [secret, fleet] = ['a secret of 32 bytes, or of more.', 'shop'];
const keys = linkKeys(secret, fleet);
const parts = [
  'inserve link',
  'dialer',
  'plain',
  keys.id,
  '1',
  'a',
  '1',
  '00',
  '1024',
  '13',
  '1',
  'b',
  '1',
  '11',
  '1024',
  '13',
  '',
];
const file = {
  messages: Object.fromEntries(Object.entries(VECTORS).map(([name, frame]) => [name, messageOf(frame)])),
  keys: {
    secret,
    fleet,
    id: keys.id,
    preShared: keys.preShared.toString('hex'),
    proof: keys.proof.toString('hex'),
  },
  proof: { parts, mac: proofOf(keys.proof, parts) },
};
const path = fileURLToPath(new URL('../test/fixtures/wire/wire-vectors.json', import.meta.url));
writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`);
