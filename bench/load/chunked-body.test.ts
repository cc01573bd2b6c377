import { expect, test } from 'vitest';
import { ChunkedBody } from './chunked-body.ts';

const BODY = Buffer.from('3\r\nabc\r\n1a\r\n0\r\n\r\n0\r\n\r\n0\r\n\r\n0123456789a\r\n0\r\n\r\n');

test('counts what is inside the chunks, wherever the data is cut', () => {
  for (let cut = 0; cut < BODY.length; cut++) {
    const body = new ChunkedBody();
    expect(body.read(BODY.subarray(0, cut)), `cut at ${cut}`).toBe(false);
    expect(body.read(BODY.subarray(cut)), `cut at ${cut}`).toBe(true);
    expect(body.bytes).toBe(3 + 26);
  }
});
