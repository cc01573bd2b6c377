import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { relay, type Words, words } from '../fixtures/http/streaming.ts';
import { settled } from '../integration/every-framework/setup.ts';
import { open, RawClient, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { eventually } from '../support/until.ts';

const WAYS = ['as-it-is', 'generator', 'readable', 'response', 'sse'];

/** Each in a chunk of its own, heartbeats aside, and the end. */
const TWO_CHUNKS =
  /\r\n\w+\r\n(?:data: )?one\n*\r\n(?:3\r\n:\n\n\r\n)*\w+\r\n(?:data: )?two\n*\r\n0\r\n\r\n$/i;

async function running(options: Parameters<typeof relay.options>[0] = {}) {
  const serve = quietServe();
  await serve.run(relay.options(options).bind(words.bind()), { name: 'relay' });
  const server = await listen(serve.middleware());
  return {
    serve,
    port: server.port,
    words: serve.handle<typeof Words>('Words', { app: 'relay' }),
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await serve.close();
    },
  };
}

/** Ray Serve's behaviours 53 and 54: from a child's replica through the ingress replica to the client. */
describe('streams through composition', () => {
  let app: Awaited<ReturnType<typeof running>>;
  beforeAll(async () => {
    app = await running();
  });
  afterAll(() => app[Symbol.asyncDispose]());

  test('53: a chunk is at the client before the child produces the next one', async () => {
    for (const way of WAYS) {
      using client = await RawClient.connect(app.port);
      client.head(`GET /${way}/tokens?key=${way} HTTP/1.1`, 'Host: h');
      expect(await client.until(/one/i)).not.toMatch(/two/i);
      expect(await app.words.count.remote(`${way}:yielded:1`)).toBe(0);
      await app.words.open.remote(`${way}:1`);
      expect(await client.until('\r\n0\r\n\r\n')).toMatch(TWO_CHUNKS);
    }
  });

  test('54: an error of the child after two chunks: the two, then a broken connection', async () => {
    for (const way of WAYS) {
      using client = await RawClient.connect(app.port);
      client.head(`GET /${way}/breaking HTTP/1.1`, 'Host: h');
      // Node 26 writes what comes in one turn as one chunk.
      expect(await client.closed()).toMatch(
        /^HTTP\/1.1 200 OK[\s\S]*\r\n\r\n\w+\r\n(?:data: )?one\s*(?:\w+\r\n)?(?:data: )?two\s+$/i,
      );
    }
    const taken: string[] = [];
    const reading = (async () => {
      for await (const word of app.words.breaking.remote()) taken.push(word);
    })();
    await expect(reading).rejects.toMatchObject({ name: 'RangeError', code: 'E_CHILD' });
    expect(taken).toEqual(['one', 'two']);
  });

  test("a slow client stops the child; when it leaves, the child's finally runs", async () => {
    for (const way of WAYS) {
      using client = await RawClient.connect(app.port);
      client.head(`GET /${way}/endless?key=${way} HTTP/1.1`, 'Host: h');
      await client.until('200 OK');
      client.socket.pause();
      // 16 KiB each: what the sockets of both ends hold, and the windows of two hops.
      expect(await settled(() => app.words.count.remote(`${way}:produced`))).toBeLessThan(1_300);
      client.socket.destroy();
      await app.words.until.remote(`${way}:finally`);
    }
    await eventually(
      () => app.serve.status().apps['relay']?.deployments['Words']?.replicas[0]?.ongoing === 0,
    );
  });

  test('a client that leaves ends a child that waits for its signal', async () => {
    using client = await RawClient.connect(app.port);
    client.head('GET /generator/stalling?key=s HTTP/1.1', 'Host: h');
    await client.until(/one/i);
    // A generator that has not been asked for more yet is ended where it stands, and hears of nothing.
    await app.words.until.remote('s:waits');
    client.socket.destroy();
    await app.words.until.remote('s:aborted');
  });

  test('server-sent events go on where a client left off', async () => {
    const { headers, text } = await send(app.port, '/resumed', { headers: { 'last-event-id': '41' } });
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
    });
    expect(text).toBe(
      ': comes again\nretry: 10\n\nevent: count\nid: 42\ndata: {"id":42}\n\nevent: count\nid: 43\ndata: {"id":43}\n\n',
    );
  });

  test('a comment now and then keeps a quiet stream of events alive', async () => {
    await using patient = await running({ streamIdleTimeoutMs: 80 });
    using client = await RawClient.connect(patient.port);
    client.head('GET /sse/stalling?key=quiet HTTP/1.1', 'Host: h');
    // Past the time after which a silent stream is cut.
    await client.until(/(?::\n\n[\s\S]*){8}/);
    client.socket.destroy();
    await patient.words.until.remote('quiet:aborted');
  });

  test('a timeout between chunks cuts the connection, and ends the child', async () => {
    await using hasty = await running({ streamIdleTimeoutMs: 80 });
    const response = await open(hasty.port, '/generator/stalling?key=idle');
    await expect(response.toArray()).rejects.toThrow('aborted');
    await hasty.words.until.remote('idle:aborted');
  });

  test('a sync generator whose finally throws harms nobody but itself', async () => {
    for await (const count of app.words.stubborn.remote('s')) if (count === 1) break;
    await app.words.until.remote('s:finally');
    expect(await app.words.count.remote('s:finally')).toBe(1);
    expect(app.serve.status().apps['relay']?.deployments['Words']).toMatchObject({
      restarts: 0,
      status: 'HEALTHY',
    });
  });
});
