import type { Duplex } from 'node:stream';

const HEAD_BYTES = 4;

/** Writes a message after its length. */
export function post(link: Duplex, message: Uint8Array): void {
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt32BE(message.length);
  link.cork();
  link.write(head);
  link.write(message);
  link.uncork();
}

/** Reads messages that are written by `post`. */
export function read(link: Duplex, receive: (message: Uint8Array) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  link.on('data', (chunk: Buffer) => {
    let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + bytes.readUInt32BE();
      if (bytes.length < end) break;
      receive(bytes.subarray(HEAD_BYTES, end));
      bytes = bytes.subarray(end);
    }
    rest = bytes;
  });
}
