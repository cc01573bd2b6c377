import { Agent, request } from 'node:http';
import { describe, expect, test } from 'vitest';
import { json, RawClient, send } from '../../support/http/client.ts';
import { type Mount, settled, sharedProbe } from './setup.ts';

interface Echo {
  method: string;
  url: string;
  headers: [string, string][];
  body: string;
}

/** Methods, heads and bodies as they go over the wire. */
export function methods(mount: Mount): void {
  describe('methods and messages', () => {
    const shared = sharedProbe(mount, { bodyLimit: '16mb' });

    test.each(['GET', 'DELETE', 'OPTIONS'])('%s arrives', async (method) => {
      const answer = await send(shared.port, '/request/echo', { method });
      expect(answer.status).toBe(200);
      expect(json(answer)).toMatchObject({ method, body: '' });
    });

    test.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s arrives with its body', async (method) => {
      const answer = await send(shared.port, '/request/echo', {
        method,
        body: Buffer.from([0, 255, 10]),
        headers: { 'content-length': '3' },
      });
      expect(json(answer)).toMatchObject({ method, body: 'AP8K' });
    });

    test('methods beyond the common ones arrive', async () => {
      const answer = await send(shared.port, '/request/echo', { method: 'PROPFIND' });
      expect(json(answer)).toMatchObject({ method: 'PROPFIND' });
    });

    test('HEAD has the headers of GET and no body', async () => {
      using client = await RawClient.connect(shared.port);
      client.head('HEAD /kind/text HTTP/1.1', 'Host: h', 'Connection: close');
      const answer = await client.closed();
      expect(answer).toMatch(/^HTTP\/1.1 200 OK\r\n/);
      expect(answer).toMatch(/content-length: 7\r\n/i);
      expect(answer).toMatch(/content-type: text\/plain; charset=utf-8\r\n/i);
      expect(answer.endsWith('\r\n\r\n')).toBe(true);
    });

    test('HEAD of a stream ends with its head, and ends the stream', async () => {
      const answer = await send(shared.port, '/stream/endless?key=head', { method: 'HEAD' });
      expect(answer).toMatchObject({ status: 200, text: '' });
      expect(answer.headers['content-type']).toBe('application/octet-stream');
      await shared.probe.until.remote('head:finally');
    });

    test('HEAD keeps the content-length that the app gives without a body', async () => {
      const answer = await send(shared.port, '/kind/length-without-body', { method: 'HEAD' });
      expect(answer.headers['content-length']).toBe('12');
    });

    test.each([
      ['no-content', 204],
      ['no-content-with-length', 204],
      ['not-modified', 304],
    ])('%s has no body and the connection goes on', async (kind, status) => {
      using client = await RawClient.connect(shared.port);
      client.head(`GET /kind/${kind} HTTP/1.1`, 'Host: h');
      client.head('GET /kind/number HTTP/1.1', 'Host: h', 'Connection: close');
      const [first = '', second = ''] = (await client.closed()).split(/(?=HTTP\/1.1 200)/);
      expect(first).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
      if (status === 204) expect(first).not.toMatch(/content-length|transfer-encoding/i);
      expect(second.endsWith('\r\n\r\n0.5')).toBe(true);
    });

    test('a 304 keeps its validators', async () => {
      const answer = await send(shared.port, '/kind/not-modified');
      expect(answer.headers).toMatchObject({ etag: '"x"', 'content-length': '12' });
    });

    test('headers with several values arrive in both directions', async () => {
      const answer = await send(shared.port, '/request/echo', {
        headers: { 'X-Many': ['a', 'b'], Cookie: ['one=1', 'two=2'], 'x-latin': 'h\u00e9' },
      });
      const headers = new Map((json(answer) as Echo).headers);
      expect(headers.get('x-many')).toBe('a, b');
      expect(headers.get('cookie')).toBe('one=1; two=2');
      expect(headers.get('x-latin')).toBe('h\u00e9');

      const cookies = await send(shared.port, '/kind/cookies');
      expect(cookies.headers['set-cookie']).toEqual(['one=1; Path=/', 'two=2; HttpOnly']);
      expect(cookies.headers['x-many']).toBe('a, b');
    });

    test('an empty body is there and empty', async () => {
      const answer = await send(shared.port, '/request/text', {
        method: 'POST',
        body: '',
        headers: { 'content-length': '0' },
      });
      expect(json(answer)).toEqual({ text: '' });
    });

    test('10 MB go up', async () => {
      const body = Buffer.alloc(10 * 1_048_576, 'upload');
      const expected = Buffer.from(await crypto.subtle.digest('SHA-1', body)).toString('hex');
      const headers = { 'content-length': String(body.byteLength) };
      const whole = send(shared.port, '/request/digest', { method: 'POST', body, headers });
      const streamed = send(shared.port, '/request/digest-of-stream', { method: 'PUT', body });
      expect((await whole).text).toBe(expected);
      expect((await streamed).text).toBe(expected);
    });

    test.each(['large-bytes', 'response-large'])('10 MB come down (%s)', async (kind) => {
      const answer = await send(shared.port, `/kind/${kind}`);
      expect(answer.headers['content-length']).toBe(String(10 * 1_048_576));
      const fill = kind === 'large-bytes' ? 42 : 7;
      expect(answer.body.equals(Buffer.alloc(10 * 1_048_576, fill))).toBe(true);
    });

    test('a chunked body arrives whole, however it is cut', async () => {
      using client = await RawClient.connect(shared.port);
      client.head(
        'POST /request/text HTTP/1.1',
        'Host: h',
        'Transfer-Encoding: chunked',
        'Connection: close',
      );
      for (const piece of ['3\r', '\nab', 'c\r\n4;ext=1\r\ndefg\r\n', '0\r\n', 'X-Trailer: t\r\n\r\n'])
        client.write(piece);
      expect(await client.closed()).toMatch(/\r\n\r\n\{"text":"abcdefg"\}$/);
    });

    test('a client that expects 100-continue is told to go on', async () => {
      using client = await RawClient.connect(shared.port);
      client.head(
        'POST /request/text HTTP/1.1',
        'Host: h',
        'Expect: 100-continue',
        'Content-Length: 4',
        'Connection: close',
      );
      await client.until('100 Continue');
      client.write('body');
      expect(await client.closed()).toMatch(/HTTP\/1.1 200 OK[\s\S]*\{"text":"body"\}$/);
    });

    test('a connection is kept for many requests', async () => {
      using agent = disposable(new Agent({ keepAlive: true, maxSockets: 1 }));
      const ports = new Set<number | undefined>();
      for (let count = 0; count < 5; count++) {
        const method = count % 2 === 0 ? 'GET' : 'POST';
        const sent = request({ host: '127.0.0.1', port: shared.port, path: '/kind/text', method, agent });
        sent.end(method === 'POST' ? 'a body that nobody reads' : undefined);
        const [response] = await new Promise<[import('node:http').IncomingMessage]>((resolve) =>
          sent.once('response', (...args) => resolve(args)),
        );
        expect(response.statusCode).toBe(200);
        ports.add(response.socket.localPort);
        for await (const _ of response);
      }
      expect(ports.size).toBe(1);
    });

    test('a body that nobody reads does not hold up the next request, however large', async () => {
      using client = await RawClient.connect(shared.port);
      const bytes = 15 * 1_048_576;
      client.head('POST /wait/x?key=unread HTTP/1.1', 'Host: h', `Content-Length: ${bytes}`);
      client.write(Buffer.alloc(bytes));
      client.head('GET /kind/boolean HTTP/1.1', 'Host: h', 'Connection: close');
      await shared.probe.until.remote('unread:started');
      // The client is stopped by now.
      await settled(() => client.socket.writableLength);
      await shared.probe.open.remote('unread');
      const answer = await client.closed();
      expect(answer.match(/HTTP\/1.1 200 OK/g)).toHaveLength(2);
      expect(answer.endsWith('false')).toBe(true);
    });

    test('pipelined requests are answered in their order', async () => {
      using client = await RawClient.connect(shared.port);
      client.head('GET /wait?key=pipelined HTTP/1.1', 'Host: h');
      client.head('GET /kind/boolean HTTP/1.1', 'Host: h');
      client.write('POST /request/text HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi');
      client.head('GET /kind/number HTTP/1.1', 'Host: h', 'Connection: close');
      await shared.probe.until.remote('pipelined:started');
      await shared.probe.open.remote('pipelined');
      const bodies = (await client.closed()).split(/HTTP\/1.1 200 OK[\s\S]*?\r\n\r\n/);
      expect(bodies).toEqual(['', 'waited', 'false', '{"text":"hi"}', '0.5']);
    });
  });
}

function disposable(agent: Agent): Agent & Disposable {
  return Object.assign(agent, { [Symbol.dispose]: () => agent.destroy() });
}
