import { describe, expect, test } from 'vitest';
import { json, RawClient, send } from '../../support/http/client.ts';
import { type Mount, sharedProbe } from './setup.ts';

/** The `Request` that the ingress gets. */
export function requests(mount: Mount): void {
  describe('the request', () => {
    const shared = sharedProbe(mount);
    const look = async (name: string, body?: string | Uint8Array, headers: Record<string, string> = {}) => {
      const method = body === undefined ? 'GET' : 'POST';
      return send(shared.port, `/request/${name}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body }),
      });
    };
    const chunked = (text: string) =>
      (async function* () {
        yield text;
      })();

    test('is a Request in every respect', async () => {
      expect(json(await look('facade'))).toEqual({
        isRequest: true,
        tag: '[object Request]',
        isSignal: true,
        isHeaders: true,
        sameHeaders: true,
        sameSignal: true,
        aborted: false,
        cache: 'default',
        redirect: 'follow',
        duplex: 'half',
      });
    });

    test.each(['json', 'json-of-clone'])('%s is parsed', async (name) => {
      expect(json(await look(name, '{"a":["ü"]}'))).toEqual({ a: ['ü'] });
    });

    test.each([
      ['json', '{"a":'],
      ['json', ''],
      ['json-of-clone', '{"a":'],
      ['form', 'no form'],
    ])('a malformed body read by %s is the client’s fault: 400', async (name, body) => {
      const headers = { 'content-type': 'multipart/form-data; boundary=x' };
      const answer = await look(name, body, headers);
      expect(answer.status).toBe(400);
      expect(json(answer)).toMatchObject({ status: 400, code: 'SERVE_BAD_REQUEST' });
    });

    test.each([
      ['text', 'tëxt', { text: 'tëxt' }],
      ['array-buffer', Uint8Array.of(1, 255), { isBuffer: true, bytes: [1, 255] }],
      ['bytes', Uint8Array.of(1, 255), { isBytes: true, isExact: true, bytes: [1, 255] }],
      ['body', 'read', { isNull: false, used: false, text: 'read', usedAfter: true }],
    ])('%s reads the body', async (name, body, expected) => {
      expect(json(await look(name, body))).toEqual(expected);
      // The same from a body that is streamed to the replica.
      const streamed = await send(shared.port, `/request/${name}`, {
        method: 'POST',
        body: (async function* () {
          yield body;
        })(),
      });
      expect(json(streamed)).toEqual(expected);
    });

    test('blob reads the body and knows its type', async () => {
      const answer = await look('blob', 'blob', { 'content-type': 'text/x-test' });
      expect(json(answer)).toEqual({ size: 4, type: 'text/x-test', text: 'blob' });
    });

    test('formData reads urlencoded and multipart forms', async () => {
      const urlencoded = { 'content-type': 'application/x-www-form-urlencoded' };
      expect(json(await look('form', 'a=1&a=2&b=%C3%BC', urlencoded))).toEqual([
        ['a', '1'],
        ['a', '2'],
        ['b', 'ü'],
      ]);
      const form = new FormData();
      form.set('field', 'value');
      form.set('file', new File(['content'], 'name.txt', { type: 'text/plain' }));
      const response = await fetch(`http://127.0.0.1:${shared.port}/request/form`, {
        method: 'POST',
        body: form,
      });
      expect(await response.json()).toEqual([
        ['field', 'value'],
        ['file', 'name.txt:text/plain:content'],
      ]);
    });

    test('a body is read once', async () => {
      const expected = {
        before: false,
        after: true,
        again: 'TypeError',
        clone: 'TypeError',
        locked: true,
        mode: 'cors',
      };
      expect(json(await look('used', 'body'))).toEqual(expected);
      const streamed = await send(shared.port, '/request/used', { method: 'POST', body: chunked('body') });
      expect(json(streamed)).toEqual(expected);
    });

    test('a request without a body has none', async () => {
      const none = { isNull: true, used: false, text: '', usedAfter: false };
      expect(json(await look('body'))).toEqual(none);
      expect(json(await look('no-body-twice'))).toEqual(['', '', false]);
    });

    test('clone() gives both their own body', async () => {
      const expected = { isRequest: true, url: true, method: 'POST', header: 'yes', texts: ['two', 'two'] };
      expect(json(await look('clone', 'two', { 'x-test': 'yes' }))).toEqual(expected);
      const options = { method: 'POST', headers: { 'x-test': 'yes' } };
      const streamed = await send(shared.port, '/request/clone', { ...options, body: chunked('two') });
      expect(json(streamed)).toEqual(expected);
    });

    test('new Request(request) takes everything over', async () => {
      const { port } = shared;
      const expected = {
        method: 'POST',
        url: `http://127.0.0.1:${port}/request/new-request`,
        movedUrl: 'http://other.example/x',
        header: 'changed',
        text: 'taken over',
        used: true,
      };
      expect(json(await look('new-request', 'taken over', { 'x-test': 'yes' }))).toEqual(expected);
    });

    test.each([
      ['whole', 'sent on'],
      ['streamed', chunked('sent on')],
    ])('fetch(request) sends it on (%s)', async (_name, body) => {
      const answer = await send(shared.port, '/request/fetch?q=1', {
        method: 'POST',
        headers: { 'x-test': 'yes' },
        body,
      });
      expect(answer.text).toBe('POST /request/fetch?q=1 yes sent on');
    });

    test('a GET with a body can be read, but not cloned with it', async () => {
      const answer = await send(shared.port, '/request/text', {
        method: 'GET',
        headers: { 'content-length': '4' },
        body: 'body',
      });
      expect(json(answer)).toEqual({ text: 'body' });
      const facade = await send(shared.port, '/request/facade', {
        method: 'GET',
        headers: { 'content-length': '4' },
        body: 'body',
      });
      expect(json(facade)).toMatchObject({ cache: 'default' });
    });
  });

  describe('its URL', () => {
    const shared = sharedProbe(mount);
    const urlOf = async (target: string, host: string) => {
      using client = await RawClient.connect(shared.port);
      client.head(`GET ${target} HTTP/1.1`, `Host: ${host}`, 'Connection: close');
      const answer = await client.closed();
      const [, body = ''] = answer.split('\r\n\r\n');
      return answer.startsWith('HTTP/1.1 200')
        ? (JSON.parse(body) as { url: string }).url
        : answer.slice(9, 12);
    };

    test.each([
      ['/request/echo', 'example.com', 'http://example.com/request/echo'],
      [
        '/request/echo?a=1&b=%20+%2F?',
        'example.com:8080',
        'http://example.com:8080/request/echo?a=1&b=%20+%2F?',
      ],
      ['/request/echo/%E2%82%AC/a%2Fb', 'h', 'http://h/request/echo/%E2%82%AC/a%2Fb'],
      ['/request/echo/.hidden/a..b/...?a=/../b', 'h', 'http://h/request/echo/.hidden/a..b/...?a=/../b'],
      ['/request/echo?"<>\'', 'h', 'http://h/request/echo?%22%3C%3E%27'],
      ['/request/echo', 'EXAMPLE.com', 'http://example.com/request/echo'],
      ['/request/echo', 'example.com.:80', 'http://example.com./request/echo'],
      ['/request/echo', '[::1]:3000', 'http://[::1]:3000/request/echo'],
      ['/request/echo', 'under_score.example', 'http://under_score.example/request/echo'],
      ['http://example.com/request/echo?q', 'example.com', 'http://example.com/request/echo?q'],
    ])('%s of %s', async (target, host, url) => {
      expect(await urlOf(target, host)).toBe(url);
    });

    test.each([
      'a b',
      'user@host',
      'host/path',
      'a:b:c',
      'h:99999',
      '999.1.1.1',
      '[::1',
      'h?q',
      'h#f',
      'h\\x',
      'ü',
    ])('a host like %s makes no URL: 400', async (host) => {
      expect(await urlOf('/request/echo', host)).toBe('400');
    });

    test.each([
      '/request/./echo',
      '/x/../request/echo',
      '/x/..',
      '/x/%2e%2E/request/echo',
      '/x/.%2e/request/echo',
      '/x/..\\request/echo',
      'http://h/x/../request/echo',
    ])('%s would be another path than the one that the host saw: 400', async (target) => {
      expect(await urlOf(target, 'h')).toBe('400');
    });

    test('HTTP/1.0 needs no host', async () => {
      using client = await RawClient.connect(shared.port);
      client.head('GET /request/echo HTTP/1.0');
      expect(await client.closed()).toMatch(/"url":"http:\/\/localhost\/request\/echo"/);
    });
  });
}
