import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import express, { type RequestHandler } from 'express';
import Fastify from 'fastify';
import Koa from 'koa';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fastifyServe } from '../../src/shells/fastify.ts';
import { recorder, sharedApp } from '../integration/every-framework/setup.ts';
import { bodyParser } from '../integration/koa/body-parser.ts';
import { json, type SendOptions, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';

const { logger, records } = recorder();
const shared = sharedApp(logger);

/** An Express app with middleware in front of the probe. */
async function behind(...before: RequestHandler[]) {
  const host = express();
  for (const handler of before) host.use(handler);
  return listen(host.use(shared.serve.middleware(shared.app)));
}

function post(port: number, path: string, type: string, body: SendOptions['body'] = '', headers = {}) {
  return send(port, path, { method: 'POST', headers: { 'content-type': type, ...headers }, body });
}

async function* chunksOf(text: string): AsyncGenerator<string> {
  for (const character of text) yield character;
}

describe('a request that was left paused', () => {
  const SIZES = [
    ['small', 10],
    ['large', 200_000],
  ] as const;

  test.each(SIZES)('a %s one is read, by Express', async (_size, length) => {
    const paused: RequestHandler = (req, _res, next) => {
      req.pause();
      setImmediate(next);
    };
    await using host = await behind(paused);
    const answer = await post(host.port, '/request/length', 'text/plain', 'x'.repeat(length));
    expect(answer.text).toBe(String(length));
  });

  test.each(SIZES)('a %s one is read when the app asks for it, in pass-through', async (_size, length) => {
    const app = express().use((req, _res, next) => {
      req.pause();
      next();
    });
    app.use(shared.serve.middleware(shared.app, { passthrough: true }));
    await using host = await listen(app);
    const answer = await post(host.port, '/request/length', 'text/plain', 'x'.repeat(length));
    expect(answer.text).toBe(String(length));
  });

  test('a stream that a hook of Fastify hands on', async () => {
    const host = Fastify({ requestTimeout: 60_000 });
    host.addHook('preParsing', (_request, _reply, payload, done) => {
      payload.pause();
      done(null, payload);
    });
    await host.register(fastifyServe, { serve: shared.serve, app: shared.app });
    await host.listen({ host: '127.0.0.1', port: 0 });
    const { port } = host.server.address() as { port: number };
    expect((await post(port, '/request/length', 'text/plain', 'x'.repeat(90_000))).text).toBe('90000');
    await host.close();
  });
});

describe('a string under a JSON type', () => {
  test.each(['"hello"', '""', ' "7" ', '"\\u00fc\\ud83d\\ude00"', '"{}"'])(
    'that a JSON parser has read is the same string: %s',
    async (body) => {
      await using host = await behind(express.json({ strict: false }));
      // Without a length nobody can tell text that reads like JSON from a string that does.
      const isAmbiguous = /^"?[{\d]/.test(body.trim());
      for (const sent of isAmbiguous ? [body] : [body, chunksOf(body)])
        expect(json(await post(host.port, '/request/text', 'application/json', sent))).toEqual({
          text: JSON.stringify(JSON.parse(body)),
        });
    },
  );

  test('that Koa’s JSON parser has read is the same string', async () => {
    const options: object = { jsonStrict: false };
    const app = new Koa().use(bodyParser(options)).use(shared.serve.middleware(shared.app));
    await using host = await listen(app.callback());
    const answer = await post(host.port, '/request/text', 'application/json', '"hello"');
    expect(json(answer)).toEqual({ text: '"hello"' });
  });

  test('that a text parser has read is the text of the body', async () => {
    await using host = await behind(express.text({ type: 'application/json' }));
    const text = '{ "a": "ü" }';
    const asText = (type: string, body: SendOptions['body'], headers = {}) =>
      post(host.port, '/request/text', type, body, headers).then(json);
    expect(await asText('application/json', text)).toEqual({ text });
    expect(await asText('application/json', chunksOf(text))).toEqual({ text });
    expect(await asText('application/json', gzipSync(text), { 'content-encoding': 'gzip' })).toEqual({
      text,
    });
    const latin = Buffer.from(text, 'latin1');
    expect(await asText('application/json; charset=latin1', latin)).toEqual({ text });
    // The app is to say that it is no JSON.
    expect(await asText('application/json', '{ no')).toEqual({ text: '{ no' });
    const broken = Buffer.from([0x22, 0xff, 0xff, 0x22]);
    expect(await asText('application/json', broken)).toEqual({ text: '"\ufffd\ufffd"' });
  });
});

describe('a form that a multipart parser has read', () => {
  let directory: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'inserve-'));
  });
  afterAll(() => rm(directory, { recursive: true }));

  type Store = (file: File) => Promise<object>;

  /** What multer leaves of a form; its names are UTF-8 that was taken for latin1. */
  const parser =
    (store: Store): RequestHandler =>
    async (req, _res, next) => {
      const chunks: Buffer[] = [];
      for await (const chunk of req) chunks.push(chunk);
      const init = { headers: { 'content-type': String(req.headers['content-type']) } };
      const form = await new Response(Buffer.concat(chunks), init).formData();
      const misread = (name: string): string => Buffer.from(name).toString('latin1');
      const fields: Record<string, string> = {};
      const files: object[] = [];
      for (const [name, value] of form) {
        if (typeof value === 'string') fields[name] = value;
        else {
          const about = { fieldname: misread(name), originalname: misread(value.name), mimetype: value.type };
          files.push({ ...about, ...(await store(value)) });
        }
      }
      req.body = fields;
      Object.assign(req, { files });
      next();
    };

  const inMemory: Store = async (file) => ({ buffer: Buffer.from(await file.arrayBuffer()) });
  const onDisk: Store = async (file) => {
    const path = join(directory, `file-${file.size}`);
    await writeFile(path, Buffer.from(await file.arrayBuffer()));
    return { path, filename: 'not-this-name' };
  };

  function form(): FormData {
    const made = new FormData();
    made.set('field', 'välue');
    made.set('größe', new File(['x'.repeat(300_000)], 'größe "q"\n.txt', { type: 'text/plain' }));
    made.set('photo', new File(['png'], 'a.png', { type: 'image/png' }));
    made.set('empty', new File([], 'nothing.bin'));
    return made;
  }

  async function entriesBehind(store?: Store): Promise<unknown> {
    await using host = await behind(...(store === undefined ? [] : [parser(store)]));
    const options = { method: 'POST', body: form() };
    return (await fetch(`http://127.0.0.1:${host.port}/request/form`, options)).json();
  }

  test.each([
    ['in memory', inMemory],
    ['on the disk', onDisk],
  ])('its files arrive from where they are stored: %s', async (_where, store) => {
    expect(await entriesBehind(store)).toEqual(await entriesBehind());
  });

  test('of fields alone is a form still', async () => {
    await using host = await behind(parser(inMemory));
    const body = new FormData();
    body.set('a', '1');
    const answer = await fetch(`http://127.0.0.1:${host.port}/request/form`, { method: 'POST', body });
    expect(await answer.json()).toEqual([['a', '1']]);
  });

  test('whose files went elsewhere is an error that says what to do', async () => {
    expect(await entriesBehind(async () => ({ key: 'bucket/1' }))).toMatchObject({
      status: 500,
      code: 'SERVE_NOT_SERIALIZABLE',
    });
    const { err } = records.findLast(({ level }) => level === 'error')?.fields ?? {};
    expect(String(err)).toMatch(/neither in memory nor on disk: mount the app in front of the parser/);
  });

  test('whose file is gone is 500, and the replica lives', async () => {
    const gone: Store = async () => ({ path: join(directory, 'gone') });
    expect(await entriesBehind(gone)).toMatchObject({ status: 500, code: 'INTERNAL_SERVER_ERROR' });
    expect(await entriesBehind(inMemory)).toEqual(await entriesBehind());
  });
});
