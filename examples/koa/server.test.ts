import { inflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { startExample } from '../../test/support/example.ts';

/** The shades of the example's own images: one chunk of data, no filters. */
function shades(image: Buffer): (x: number, y: number) => number {
  const at = image.indexOf('IDAT') + 4;
  const lines = inflateSync(image.subarray(at, at + image.readUInt32BE(at - 8)));
  return (x, y) => lines[y * 257 + 1 + x] ?? -1;
}

test('draws tiles, each what its path says', async () => {
  await using example = await startExample('koa');
  const get = (path: string) => fetch(example.url + path);
  const whole = await get('/tiles/0/0/0.png');
  expect(whole.headers.get('content-type')).toBe('image/png');
  const shade = shades(Buffer.from(await whole.arrayBuffer()));
  // Of the set: 0 in the middle of the cardioid and of the bulb to its left, outside in the corners.
  expect([shade(192, 128), shade(107, 128)]).toEqual([0, 0]);
  expect(Math.min(shade(0, 0), shade(255, 255))).toBeGreaterThan(200);
  const quarter = shades(Buffer.from(await (await get('/tiles/1/1/1.png')).arrayBuffer()));
  expect(quarter(128, 0)).toBe(shade(192, 128));
  expect((await get('/tiles/1/9x/1.png')).status).toBe(404);
  expect(await (await get('/')).text()).toContain('Mandelbrot');
  expect(Number(await (await get('/lag')).text())).toBeGreaterThanOrEqual(0);
});
