import { brotliCompressSync, gzipSync } from 'node:zlib';
import express, { type RequestHandler } from 'express';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { json, type SendOptions, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { HAS_OLD_FRAMEWORKS } from '../../support/old-frameworks.ts';
import { type Mounted, outcomes, sharedApp } from '../every-framework/setup.ts';

const shared = sharedApp();

/** The probe behind body parsers or other middleware, on a server for each suite. */
function behind(...before: RequestHandler[]) {
  let server: Mounted | undefined;
  const port = () => server?.port ?? 0;
  beforeAll(async () => {
    const host = express();
    for (const handler of before) host.use(handler);
    server = await listen(host.use(shared.serve.middleware(shared.app)));
  });
  afterAll(() => server?.[Symbol.asyncDispose]());
  const post = (path: string, type: string, body: Body, headers: Record<string, string> = {}) =>
    send(port(), path, { method: 'POST', headers: { 'content-type': type, ...headers }, body });
  return { port, post };
}

type Body = NonNullable<SendOptions['body']>;

interface Echo {
  headers: [string, string][];
  body: string;
}

function seen(answer: Parameters<typeof json>[0]): { headers: Map<string, string>; text: string } {
  const { headers, body } = json(answer) as Echo;
  return { headers: new Map(headers), text: Buffer.from(body, 'base64').toString() };
}

const FORM = 'application/x-www-form-urlencoded';

describe('bodies that a parser has read', () => {
  const { post, port } = behind(
    express.json({
      limit: '2mb',
      strict: false,
      type: ['application/json', 'application/*+json', 'text/json-ish'],
    }),
    express.urlencoded({ extended: true }),
    express.text({ type: ['text/plain', 'text/x-test'] }),
    express.raw({ type: 'application/octet-stream' }),
  );

  test.each([
    ['JSON', 'application/json', '{ "a": [1, "ü"] }', '{"a":[1,"ü"]}'],
    ['JSON null', 'application/json', ' null', 'null'],
    ['JSON false', 'application/json', 'false ', 'false'],
    ['an empty object', 'application/json', '{}', '{}'],
    ['a JSON dialect', 'application/vnd.api+json; v=1', '{"a":1}', '{"a":1}'],
    ['text', 'text/plain', 'grüße', 'grüße'],
    ['bytes', 'application/octet-stream', 'bytes', 'bytes'],
    ['a form', FORM, 'a=1&b=x+y', 'a=1&b=x+y'],
  ])('%s is there again', async (_name, type, body, text) => {
    const { headers, ...rest } = seen(await post('/request/echo', type, body));
    expect(rest.text).toBe(text);
    expect(headers.get('content-type')).toBe(type);
    expect(headers.get('content-length')).toBe(String(Buffer.byteLength(text)));
    expect(headers.has('transfer-encoding')).toBe(false);
  });

  test('bytes cross without the pool they came from', async () => {
    const answer = await post('/request/bytes', 'application/octet-stream', 'ab');
    expect(json(answer)).toEqual({ isBytes: true, isExact: true, bytes: [97, 98] });
  });

  test('a form keeps lists and nesting', async () => {
    const body = 'a=1&a=2&b[c]=3&b[d][]=4&b[d][]=5&e[0][f]=6';
    const { text } = seen(await post('/request/echo', FORM, body));
    expect(decodeURIComponent(text)).toBe('a=1&a=2&b[c]=3&b[d]=4&b[d]=5&e[0][f]=6');
    const form = json(await post('/request/form', FORM, 'x=1&x=2'));
    expect(form).toEqual([
      ['x', '1'],
      ['x', '2'],
    ]);
  });

  test('a gzipped body comes inflated, and its headers say so', async () => {
    const zipped = gzipSync('{"zipped":true}');
    const answer = await post('/request/echo', 'application/json', zipped, { 'content-encoding': 'gzip' });
    const { headers, text } = seen(answer);
    expect(text).toBe('{"zipped":true}');
    expect(headers.has('content-encoding')).toBe(false);
    expect(headers.get('content-length')).toBe('15');
  });

  test('security row 2: a bomb is the parser’s to refuse: 413, and the app never hears of it', async () => {
    const before = await outcomes(shared.serve, 'ok');
    for (const [encoding, bomb] of [
      ['gzip', gzipSync(' '.repeat(5_000_000))],
      ['br', brotliCompressSync(' '.repeat(5_000_000))],
    ] as const) {
      const headers = { 'content-encoding': encoding };
      // Express 4 has no decoder for Brotli.
      const refused = HAS_OLD_FRAMEWORKS && encoding === 'br' ? 415 : 413;
      expect((await post('/request/echo', 'application/json', bomb, headers)).status).toBe(refused);
    }
    expect(await outcomes(shared.serve, 'ok')).toBe(before);
  });

  test('a gzipped body that no parser knows is left as it is', async () => {
    const zipped = gzipSync('zipped');
    const answer = await post('/request/echo', 'application/x-other', zipped, { 'content-encoding': 'gzip' });
    const { headers, body } = json(answer) as Echo;
    expect(Buffer.from(body, 'base64').equals(zipped)).toBe(true);
    expect(new Map(headers).get('content-encoding')).toBe('gzip');
  });

  test('text of another charset is UTF-8 from here on', async () => {
    const answer = await post('/request/echo', 'text/x-test; charset=latin1; v=1', Buffer.from([0xfc]));
    const { headers, text } = seen(answer);
    expect(text).toBe('ü');
    expect(headers.get('content-type')).toBe('text/x-test; charset=utf-8; v=1');
  });

  test('what was parsed as JSON says that it is', async () => {
    const { headers, text } = seen(await post('/request/echo', 'text/json-ish', '{"a":1}'));
    expect(text).toBe('{"a":1}');
    expect(headers.get('content-type')).toBe('application/json');
  });

  test('a chunked one has a length now', async () => {
    const chunks = async function* () {
      yield '{"a"';
      yield ':1}';
    };
    const { headers, text } = seen(await post('/request/echo', 'application/json', chunks()));
    expect(text).toBe('{"a":1}');
    expect(headers.get('content-length')).toBe('7');
    expect(headers.has('transfer-encoding')).toBe(false);
  });

  test('a large one is under the limit of its parser, not ours', async () => {
    const body = JSON.stringify({ text: 'x'.repeat(1_500_000) });
    expect((await post('/request/length', 'application/json', body)).text).toBe(String(body.length));
  });

  test('a multipart form is left alone', async () => {
    const form = new FormData();
    form.set('field', 'value');
    form.set('file', new File(['x'.repeat(100_000)], 'f.txt', { type: 'text/plain' }));
    const url = `http://127.0.0.1:${port()}/request/form`;
    const entries = (await (await fetch(url, { method: 'POST', body: form })).json()) as string[][];
    expect(entries[0]).toEqual(['field', 'value']);
    expect(entries[1]?.[1]).toHaveLength('f.txt:text/plain:'.length + 100_000);
  });

  test('no body is no body', async () => {
    expect(json(await send(port(), '/request/body'))).toMatchObject({ isNull: true });
  });

  test('a client that stays is not taken for one that left', async () => {
    // `close` of the request comes as soon as its body is parsed.
    const answer = post('/wait/x?key=parsed', 'application/json', '{}');
    await shared.probe.until.remote('parsed:started');
    await shared.probe.open.remote('parsed');
    expect((await answer).text).toBe('waited');
    expect(await shared.probe.count.remote('parsed:aborted:SERVE_CANCELLED')).toBe(0);
  });
});

describe('bodies that a parser has left alone, behind something slow', () => {
  // Here the whole message has arrived before we are asked, and nobody has read it.
  const later: RequestHandler = (_req, _res, next) => void setTimeout(next, 20);
  const { post } = behind(later, express.json(), (req, _res, next) => {
    // As parsers did before Express 5.
    req.body ??= {};
    next();
  });

  test.each([
    ['small', 'x'],
    ['large', 'x'.repeat(90_000)],
  ])('a %s one is read', async (_name, body) => {
    expect((await post('/request/length', 'text/x-unknown', body)).text).toBe(String(body.length));
  });

  test('a parsed one, too', async () => {
    expect(seen(await post('/request/echo', 'application/json', '{"a":1}')).text).toBe('{"a":1}');
  });
});

describe('bodies that somebody has read and kept', () => {
  const consume: RequestHandler = async (req, _res, next) => {
    for await (const _ of req);
    next();
  };
  const { post } = behind(consume);

  test('are empty, and nobody hangs', async () => {
    const { headers, text } = seen(await post('/request/echo', 'text/plain', 'gone'));
    expect(text).toBe('');
    expect(headers.get('content-length')).toBe('0');
  });
});

describe('bodies that somebody reads as text', () => {
  const { post } = behind((req, _res, next) => {
    req.setEncoding('utf8');
    next();
  });

  test.each([
    ['small', 'ü'],
    ['large', 'ü'.repeat(90_000)],
  ])('a %s one arrives in bytes all the same', async (_name, body) => {
    expect((await post('/request/length', 'text/plain', body)).text).toBe(String(Buffer.byteLength(body)));
  });
});

describe('a body that cannot be written anew', () => {
  const { post } = behind((req, _res, next) => {
    req.body = {};
    req.body.self = req.body;
    next();
  });

  test('is 500', async () => {
    expect((await post('/request/text', 'application/json', '{}')).status).toBe(500);
  });
});
