import { describe, expect, test } from 'vitest';
import { RawClient, send } from '../client.ts';
import { type Mount, sharedProbe } from './setup.ts';

/** What a hostile client, or careless user code, may try. */
export function security(mount: Mount): void {
  describe('security', () => {
    const shared = sharedProbe(mount);
    const raw = async (...lines: string[]) => {
      using client = await RawClient.connect(shared.port);
      client.head(...lines);
      return await client.closed();
    };

    test.each(['header-crlf', 'header-control'])(
      '%s: a bad header of user code is 500, and none of it is sent',
      async (kind) => {
        const answer = await send(shared.port, `/kind/${kind}`);
        expect(answer.status).toBe(500);
        expect(answer.headers['set-cookie']).toBeUndefined();
        expect(answer.headers['x-bad']).toBeUndefined();
      },
    );

    test('headers of the connection are not user code’s to set', async () => {
      const answer = await send(shared.port, '/kind/hop-by-hop', { headers: { connection: 'close' } });
      expect(answer.text).toBe('hop');
      expect(answer.headers).toMatchObject({ 'content-length': '3', connection: 'close' });
      for (const name of ['transfer-encoding', 'keep-alive', 'upgrade', 'x-listed']) {
        expect(answer.headers[name]).toBeUndefined();
      }
    });

    test('a header called __proto__ is a header', async () => {
      const answer = await raw('GET /request/echo HTTP/1.1', 'Host: h', '__proto__: x', 'Connection: close');
      expect(answer).toContain('["__proto__","x"]');
      const answered = await raw('GET /kind/proto HTTP/1.1', 'Host: h', 'Connection: close');
      expect(answered).toMatch(/\r\n__proto__: polluted\r\n/);
      expect(answered).toMatch(/\r\nconstructor: c\r\n/);
    });

    test.each([
      ['an unknown method', ['BREW / HTTP/1.1', 'Host: h']],
      ['two lengths', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Content-Length: 2']],
      [
        'a length and chunks',
        ['POST / HTTP/1.1', 'Host: h', 'Content-Length: 1', 'Transfer-Encoding: chunked'],
      ],
      ['an odd encoding', ['POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: xchunked']],
      ['a negative length', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: -1']],
      ['no host', ['GET / HTTP/1.1']],
      ['a space in a header name', ['GET / HTTP/1.1', 'Host: h', 'X : y']],
      ['a bare carriage return', ['GET / HTTP/1.1', 'Host: h', 'X: a\rb']],
      ['a control character', ['GET / HTTP/1.1', 'Host: h', 'X: a\u0000b']],
    ])('%s is refused before it gets here: 400', async (_name, lines) => {
      expect(await raw(...lines, 'Connection: close')).toMatch(/^HTTP\/1.1 400 /);
    });

    test('more than 16 KiB of headers: 431', async () => {
      expect(await raw('GET / HTTP/1.1', 'Host: h', `X: ${'x'.repeat(17_000)}`)).toMatch(/^HTTP\/1.1 431 /);
    });

    test('a target that is no path of ours: 400', async () => {
      for (const target of ['*', 'ftp://h/x']) {
        expect(await raw(`OPTIONS ${target} HTTP/1.1`, 'Host: h', 'Connection: close')).toMatch(
          /^HTTP\/1.1 400 /,
        );
      }
    });

    test('TRACE does not echo', async () => {
      const answer = await raw(
        'TRACE /kind/number HTTP/1.1',
        'Host: h',
        'Cookie: secret=1',
        'Connection: close',
      );
      expect(answer).not.toContain('secret');
    });

    test('a key of a JSON body pollutes nothing', async () => {
      const answer = await send(shared.port, '/request/json', {
        method: 'POST',
        body: '{"__proto__":{"polluted":true}}',
      });
      expect(answer.text).toBe('{"__proto__":{"polluted":true}}');
      expect(Reflect.get({}, 'polluted')).toBeUndefined();
    });
  });
}
