/** Writes `test/fixtures/wire/wire-vectors.json` anew. A vector that changes is a new version of the protocol. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Codec } from '../src/wire/codec.ts';
import { linkKeys, proofOf } from '../src/wire/keys.ts';
import { Link } from '../src/wire/link.ts';
import { messageHead } from '../src/wire/message.ts';
import { PEER_FRAME } from '../src/wire/peer-frames.ts';
import { GREETINGS, LARGE, VECTORS } from '../test/fixtures/wire/wire-vectors.ts';

const VERSION = 1;

/** The messages that a link sends for some frames, in hexadecimal digits. */
function messagesOf(...frames) {
  const sent = [];
  const socket = {
    unsent: 0,
    listen() {},
    send: (pieces) => sent.push(Buffer.concat(pieces).toString('hex')),
    close() {},
    destroy() {},
  };
  const link = new Link(socket, { frames() {}, closed() {} });
  for (const frame of frames) link.post(frame);
  link.flush();
  return sent;
}

function largeVectors() {
  const [announcement, part] = messagesOf(LARGE);
  return {
    announcement,
    part: part.slice(0, -2 * LARGE[2].byteLength),
    abandon: messagesOf([PEER_FRAME.abandon, 7])[0],
  };
}

function handshakeVectors(keys) {
  const { dialer, listener } = GREETINGS;
  const message = (...slots) => messageHead(new Codec().encode(slots)).toString('hex');
  const greet = (kind, { instance, epoch, nonce, maxPayload, views }) =>
    message(kind, 7, VERSION, instance, epoch, nonce, maxPayload, views, keys.id);
  const parts = [dialer, listener].flatMap(({ instance, epoch, nonce, maxPayload, views }) =>
    [VERSION, instance, epoch, nonce, maxPayload, views].map(String),
  );
  const proof = (role) => proofOf(keys.proof, ['inserve link', role, 'plain', keys.id, ...parts, '']);
  return {
    parts: ['inserve link', 'dialer', 'plain', keys.id, ...parts, ''],
    hello: greet(PEER_FRAME.hello, dialer),
    challenge: greet(PEER_FRAME.challenge, listener),
    proof: message(PEER_FRAME.proof, 1, proof('dialer')),
    welcome: message(PEER_FRAME.welcome, 1, proof('listener')),
  };
}

const [secret, fleet] = ['a secret of 32 bytes, or of more.', 'shop'];
const keys = linkKeys(secret, fleet);
const file = {
  messages: Object.fromEntries(Object.entries(VECTORS).map(([name, frame]) => [name, messagesOf(frame)[0]])),
  ping: messagesOf([PEER_FRAME.ping, 1])[0],
  large: largeVectors(),
  keys: {
    secret,
    fleet,
    id: keys.id,
    preShared: keys.preShared.toString('hex'),
    proof: keys.proof.toString('hex'),
  },
  handshake: handshakeVectors(keys),
};
const path = fileURLToPath(new URL('../test/fixtures/wire/wire-vectors.json', import.meta.url));
writeFileSync(path, `${JSON.stringify(file, null, 2)}\n`);
