import { describe, expect, test } from 'vitest';
import type { MiddlewareOptions } from '../../../src/index.ts';
import { json, RawClient, send } from '../../support/http/client.ts';
import { freshKey, type Mount, sharedApp, sharedProbe } from './setup.ts';

const tooLarge = { status: 413, code: 'SERVE_PAYLOAD_TOO_LARGE' };

async function* pieces(total: number, size = 1_000): AsyncGenerator<Uint8Array> {
  for (let left = total; left > 0; left -= size) yield Buffer.alloc(Math.min(size, left), 'x');
}

/** The body limit, and bodies that nobody wants. */
export function bodies(mount: Mount): void {
  describe('bodyLimit', () => {
    const shared = sharedProbe(mount, { bodyLimit: 100_000 });

    test.each([
      ['with a length', (size: number) => Buffer.alloc(size), true],
      ['chunked', (size: number) => pieces(size), false],
    ])('security row 1: a body %s may have just as many bytes', async (_name, body, hasLength) => {
      const post = (size: number) =>
        send(shared.port, '/request/length', {
          method: 'POST',
          body: body(size),
          headers: hasLength ? { 'content-length': String(size) } : {},
        });
      expect((await post(100_000)).text).toBe('100000');
      const refused = await post(100_001);
      expect(json(refused)).toMatchObject(tooLarge);
      expect(refused.headers['connection']).toBe('close');
      expect((await post(100_000)).text).toBe('100000');
    });

    test('security row 1: a length that is too large is refused before anything is sent, and the connection closed', async () => {
      using client = await RawClient.connect(shared.port);
      client.head('POST /request/length HTTP/1.1', 'Host: h', 'Content-Length: 99999999999');
      expect(await client.until('\r\n\r\n{')).toMatch(/^HTTP\/1.1 413 [\s\S]*\r\nconnection: close\r\n/i);
      // As a client does that has understood.
      client.socket.end();
      await client.closed();
    });

    test('security row 1: a client that does not stop is told why before it is cut off', async () => {
      using client = await RawClient.connect(shared.port);
      client.socket.pause();
      client.head('POST /request/length HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked');
      const piece = `8000\r\n${'x'.repeat(0x8000)}\r\n`;
      // 6 MB, long after the limit; a connection that was closed by then would be reset, and the answer lost.
      for (let count = 0; count < 200; count++) {
        await new Promise((resolve) => client.socket.write(piece, resolve));
      }
      client.socket.resume();
      expect(await client.until('\r\n\r\n{')).toMatch(/^HTTP\/1.1 413 /);
      await client.closed();
    });

    test('a chunked body that is too large aborts the request that reads it', async () => {
      const key = freshKey();
      const sent = send(shared.port, `/read-first/x?key=${key}`, { method: 'POST', body: pieces(200_000) });
      expect(json(await sent)).toMatchObject(tooLarge);
      await shared.probe.until.remote(`${key}:aborted:SERVE_CANCELLED`);
      await shared.probe.open.remote(key);
      await shared.probe.until.remote(`${key}:ended`);
      // Nobody looked at the promise of the body when it failed: the replica lives all the same.
      const [app] = Object.values(shared.serve.status().apps);
      expect(app?.deployments['Probe']).toMatchObject({ restarts: 0 });
    });
  });

  describe('the value of bodyLimit', () => {
    const shared = sharedApp();

    test.each([
      ['1.5kb', 1_536],
      ['2 KB', 2_048],
      ['100b', 100],
      [0, 0],
      [undefined, 1_048_576],
    ])('%s', async (bodyLimit, bytes) => {
      const { serve, app } = shared;
      await using server = await mount({ serve, app, options: { bodyLimit } as MiddlewareOptions });
      const post = (size: number) =>
        send(server.port, '/request/length', { method: 'POST', body: Buffer.alloc(size) });
      expect((await post(bytes)).text).toBe(String(bytes));
      expect((await post(bytes + 1)).status).toBe(413);
    });

    test.each(['', '1', '-1kb', '1tb', '1e3', -1, 1.5, Number.NaN, Infinity])('not %s', (bodyLimit) => {
      expect(() => shared.serve.middleware(shared.app, { bodyLimit })).toThrow(
        /bodyLimit.*allowed: a number of bytes/,
      );
    });
  });
}
