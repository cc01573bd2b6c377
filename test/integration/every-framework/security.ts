import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { json, RawClient, send } from '../../support/http/client.ts';
import { type Mount, ongoing, sharedProbe } from './setup.ts';

const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };

/** What a hostile client, or careless user code, may try: the rows of the table of attacks that are about HTTP. */
export function security(mount: Mount): void {
  describe('security', () => {
    const shared = sharedProbe(mount);
    const raw = async (...lines: string[]) => {
      using client = await RawClient.connect(shared.port);
      client.head(...lines);
      return await client.closed();
    };

    test.each(['header-crlf', 'header-control'])(
      'security row 12: %s: a bad header of user code is 500, and none of it is sent',
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

    test('security row 5: a header called __proto__ is a header', async () => {
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
      [
        'chunks, and then no encoding',
        ['POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked, identity'],
      ],
      ['a folded header', ['POST / HTTP/1.1', 'Host: h', 'X: a', ' Content-Length: 5']],
      ['a bare line feed', ['GET / HTTP/1.1', 'Host: h\nTransfer-Encoding: chunked']],
      ['an odd encoding', ['POST / HTTP/1.1', 'Host: h', 'Transfer-Encoding: xchunked']],
      ['a negative length', ['POST / HTTP/1.1', 'Host: h', 'Content-Length: -1']],
      ['no host', ['GET / HTTP/1.1']],
      ['a space in a header name', ['GET / HTTP/1.1', 'Host: h', 'X : y']],
      ['a bare carriage return', ['GET / HTTP/1.1', 'Host: h', 'X: a\rb']],
      ['a control character', ['GET / HTTP/1.1', 'Host: h', 'X: a\u0000b']],
    ])('security row 9: %s is refused before it gets here: 400', async (_name, lines) => {
      expect(await raw(...lines, 'Connection: close')).toMatch(/^HTTP\/1.1 400 /);
    });

    test('security row 11: more than 16 KiB of headers: 431', async () => {
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

    test('security row 2: nothing is inflated that no parser of the host asked for', async () => {
      const bombs = [
        ['gzip', gzipSync(Buffer.alloc(20_000_000))],
        ['br', brotliCompressSync(Buffer.alloc(20_000_000), FAST)],
      ] as const;
      for (const [encoding, body] of bombs) {
        const headers = { 'content-encoding': encoding };
        const answer = await send(shared.port, '/request/length', { method: 'POST', headers, body });
        expect(answer).toMatchObject({ status: 200, text: String(body.byteLength) });
      }
    });

    test.each([
      ['nested 400 000 times', `${'['.repeat(400_000)}${']'.repeat(400_000)}`],
      ['nested in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
      ['with 100 000 keys', `{${Array.from({ length: 100_000 }, (_, index) => `"${index}":0`).join()}}`],
    ])('security row 3: JSON %s is 400 before it is parsed', async (_name, body) => {
      for (const name of ['json', 'json-of-clone']) {
        const answer = await send(shared.port, `/request/${name}`, { method: 'POST', body });
        expect(json(answer)).toMatchObject({ status: 400, code: 'SERVE_BAD_REQUEST' });
      }
    });

    test('security row 4: keys that reach for a prototype are refused in JSON, and are names in queries and forms', async () => {
      const post = (path: string, body: string, type = 'application/json') =>
        send(shared.port, path, { method: 'POST', headers: { 'content-type': type }, body });
      for (const body of [
        '{"__proto__":{"polluted":true}}',
        '{"a":[{"\\u005f_proto__":{"polluted":true}}]}',
        '{"constructor":{"prototype":{"polluted":true}}}',
      ]) {
        expect(json(await post('/request/json', body))).toMatchObject({ status: 400 });
      }
      const form = '__proto__[polluted]=1&constructor[prototype][polluted]=1';
      const parsed = await post('/request/form', form, 'application/x-www-form-urlencoded');
      expect(json(parsed)).toEqual([
        ['__proto__[polluted]', '1'],
        ['constructor[prototype][polluted]', '1'],
      ]);
      expect((await send(shared.port, `/request/polluted?${form}`)).text).toBe('clean');
      expect(Reflect.get({}, 'polluted')).toBeUndefined();
    });

    test.each([
      ['up and out', '/..%2f..%2fetc/passwd'],
      ['a zero', '/kind/%00'],
      ['line breaks', '/kind/%0d%0aset-cookie:a=b'],
      ['stars and braces', '/kind/*{}:'],
      ['10 kB', `/kind/${'x'.repeat(10_000)}`],
      ['a look-alike', '/%EF%BD%8Bind/number'],
    ])('security row 7: a path with %s is a path like any other: no app has it', async (_name, path) => {
      const answer = await raw(`GET ${path} HTTP/1.1`, 'Host: h', 'Connection: close');
      expect(answer).toMatch(/^HTTP\/1.1 (?:204|400|404|500) /);
      expect(answer).not.toMatch(/^set-cookie/im);
      expect((await send(shared.port, '/kind/number')).status).toBe(200);
    });

    test('security row 10: a client that takes for ever over its body is cut off, and others are served meanwhile', async () => {
      await using server = await mount({
        serve: shared.serve,
        app: shared.app,
        options: { requestTimeoutMs: 3_000 },
      });
      const slow = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => {
          const client = await RawClient.connect(server.port);
          const framing = index % 2 === 0 ? 'Content-Length: 1000' : 'Transfer-Encoding: chunked';
          return client.head('POST /request/length HTTP/1.1', 'Host: h', framing).write('1');
        }),
      );
      expect((await send(server.port, '/kind/number')).status).toBe(200);
      for (const client of slow) {
        expect(await client.until('\r\n\r\n')).toMatch(/^HTTP\/1.1 504 /);
        client[Symbol.dispose]();
      }
      await expect.poll(() => ongoing(shared.serve)).toBe(0);
    });

    test('security row 35: no page of another origin gets to read an answer or a stream: there are no CORS headers', async () => {
      const headers = { origin: 'https://evil.example' };
      for (const path of ['/kind/number', '/kind/stream']) {
        const answer = await send(shared.port, path, { headers });
        expect(answer.status).toBe(200);
        expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
      }
    });
  });
}
