import { crc32, deflateSync } from 'node:zlib';
import { context, deployment } from 'inserve';

const SIZE = 256;
const DEPTH = 400;

/** Draws the Mandelbrot set in tiles, as web maps ask for them: half a second of arithmetic for some of them. */
export class Tiles {
  async call() {
    const { params, signal } = context();
    const { z = '', x = '', y = '' } = params;
    const [zoom, column, row] = [z, x, y].map(Number) as [number, number, number];
    const tiles = 2 ** zoom;
    if (![zoom, column, row].every(Number.isInteger) || zoom < 0 || zoom > 40 || column < 0 || row < 0)
      return new Response('no such tile', { status: 404 });
    const pixels = new Uint8Array(SIZE * (SIZE + 1));
    for (let py = 0; py < SIZE; py++) {
      // A client that has scrolled away: the rest of its tile is not drawn.
      if (py % 32 === 0) await new Promise((resolve) => setImmediate(resolve));
      signal.throwIfAborted();
      const imaginary = 1.5 - (3 * (row + py / SIZE)) / tiles;
      for (let px = 0; px < SIZE; px++) {
        const real = -2.25 + (3 * (column + px / SIZE)) / tiles;
        // Each line of a PNG begins with its filter: none.
        pixels[py * (SIZE + 1) + 1 + px] = shade(real, imaginary);
      }
    }
    const headers = { 'content-type': 'image/png', 'cache-control': 'public, max-age=86400' };
    return new Response(png(pixels), { headers });
  }
}

/** How soon the point leaves the circle: 0 = never. */
function shade(real: number, imaginary: number): number {
  let a = 0;
  let b = 0;
  for (let n = 0; n < DEPTH; n++) {
    const next = a * a - b * b + real;
    b = 2 * a * b + imaginary;
    a = next;
    if (a * a + b * b > 16) return 255 - Math.min(254, Math.round(255 * Math.sqrt(n / DEPTH)));
  }
  return 0;
}

/** An image in shades of grey (PNG, W3C recommendation, §11). */
function png(lines: Uint8Array): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(SIZE, 0);
  header.writeUInt32BE(SIZE, 4);
  header[8] = 8; // bits; the rest is 0: grey, deflate, no interlace
  const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
  const parts = [chunk('IHDR', header), chunk('IDAT', deflateSync(lines)), chunk('IEND', Buffer.alloc(0))];
  return new Uint8Array(Buffer.concat([signature, ...parts]));
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const frame = Buffer.alloc(body.length + 8);
  frame.writeUInt32BE(data.length, 0);
  body.copy(frame, 4);
  frame.writeUInt32BE(crc32(body), body.length + 4);
  return frame;
}

export const tiles = deployment(Tiles, { name: 'Tiles', numReplicas: 2, module: import.meta.url }).bind();
