import { describe, expect, test } from 'vitest';
import type { BoundDeployment, MiddlewareOptions } from '../../../src/index.ts';
import { relay, slow, waiter, web, words } from '../../fixtures/python/conformance.ts';
import { EventLog } from '../../fixtures/python/event-log.ts';
import { type Answer, RawClient, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';

/** An app behind a plain server. */
async function serving<D>(app: BoundDeployment<D>, options: MiddlewareOptions = {}, routePrefix = '/') {
  const serve = quietServe();
  await serve.run(app, { name: 'app', routePrefix });
  const server = await listen(serve.middleware(undefined, options));
  return {
    serve,
    port: server.port,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await serve.close();
    },
  };
}

const json = ({ text }: Answer): unknown => JSON.parse(text);

const ongoing = (serve: ReturnType<typeof quietServe>): number =>
  Object.values(serve.status().apps['app']?.deployments ?? {})
    .flatMap(({ replicas }) => replicas)
    .reduce((sum, replica) => sum + replica.ongoing, 0);

/** Ray Serve's behaviours 19–21, 25, 26, 53 and 54, with Python replicas; 18 is in test/integration/python/http.test.ts. */
describe.skipIf(!HAS_PYTHON)('HTTP in Python (skipped without Python 3.9 or newer)', () => {
  test('19: an error is 500 without its details; the next request is fine, in the same process', async () => {
    await using app = await serving(web.bind(new EventLog().path));
    const before = json(await send(app.port, '/pid'));
    const failed = await send(app.port, '/error');
    expect([failed.status, failed.text]).toEqual([500, expect.not.stringContaining('secret')]);
    expect(json(await send(app.port, '/pid'))).toEqual(before);
  });

  test('20: a replica that dies: 500, and the next request finds another', async () => {
    await using app = await serving(web.bind(new EventLog().path));
    const before = json(await send(app.port, '/pid'));
    const died = await send(app.port, '/exit');
    expect(died.status).toBe(500);
    expect(json(died)).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    expect(json(await send(app.port, '/pid'))).not.toEqual(before);
  });

  test('21: the deadline passes: 504, running and queued; nothing of it is left', async () => {
    const log = new EventLog();
    const app = web.options({ maxOngoingRequests: 1 }).bind(log.path);
    await using server = await serving(app, { requestTimeoutMs: 1_000 });
    const running = send(server.port, '/wait');
    await log.until('started');
    const queued = send(server.port, '/wait', { headers: { 'x-request-timeout-ms': '200' } });
    for (const answer of [running, queued]) {
      expect((await answer).status).toBe(504);
      expect(json(await answer)).toMatchObject({ code: 'SERVE_TIMEOUT' });
    }
    await log.until('aborted');
    await eventually(() => ongoing(server.serve) === 0);
    expect(log.count('started')).toBe(1);
  });

  test('21: so is a slow child’s', async () => {
    const log = new EventLog();
    await using app = await serving(slow.bind(waiter.bind(log.path)));
    const answer = await send(app.port, '/', { headers: { 'x-request-timeout-ms': '1000' } });
    expect(json(answer)).toMatchObject({ status: 504, code: 'SERVE_TIMEOUT' });
    await log.until('aborted');
    await eventually(() => ongoing(app.serve) === 0);
  });

  test('25: a client that leaves cancels its request, and frees its place', async () => {
    const log = new EventLog();
    await using app = await serving(web.bind(log.path));
    using client = await RawClient.connect(app.port);
    client.head('GET /wait HTTP/1.1', 'Host: h');
    await log.until('started');
    client.socket.destroy();
    await log.until('aborted');
    await eventually(() => ongoing(app.serve) === 0);
    expect(await app.serve.metrics()).toMatch(/outcome="cancelled"[^\n]* 1\n/);
  });

  test('26: the ingress sees URLs without the prefix, and its redirects stay below it', async () => {
    await using app = await serving(web.bind(new EventLog().path), {}, '/mounted/here');
    expect(json(await send(app.port, '/mounted/here/url?q=1'))).toEqual({
      url: expect.stringMatching(/^http:\/\/[^/]+\/url\?q=1$/),
    });
    const { status, headers } = await send(app.port, '/mounted/here/redirect');
    expect([status, headers.location]).toEqual([303, expect.stringMatching(/\/mounted\/here\/pid$/)]);
  });

  test('53: a chunk is at the client before the child produces the next one', async () => {
    const log = new EventLog();
    await using app = await serving(relay.bind(words.bind(log.path)));
    using client = await RawClient.connect(app.port);
    client.head('GET /tokens HTTP/1.1', 'Host: h');
    expect(await client.until(/one/)).not.toContain('two');
    expect(log.count('produced')).toBe(0);
    log.add('gate');
    expect(await client.until('\r\n0\r\n\r\n')).toMatch(/\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n$/);
  });

  test('54: an error of the child after two chunks: the two, then a broken connection', async () => {
    const child = words.bind(new EventLog().path);
    await using app = await serving(relay.bind(child));
    using client = await RawClient.connect(app.port);
    client.head('GET /breaking HTTP/1.1', 'Host: h');
    expect(await client.closed()).toMatch(/^HTTP\/1.1 200 OK[\s\S]*\r\n\r\n\w+\r\none\s*(?:\w+\r\n)?two\s+$/);
    const taken: string[] = [];
    const reading = (async () => {
      for await (const word of app.serve.handle(child).breaking.remote()) taken.push(word);
    })();
    await expect(reading).rejects.toMatchObject({ name: 'AdderError', code: 'E_ADD' });
    expect(taken).toEqual(['one', 'two']);
  });

  test("54: a client that leaves ends the child's stream, whose finally runs", async () => {
    const log = new EventLog();
    await using app = await serving(relay.bind(words.bind(log.path)));
    using client = await RawClient.connect(app.port);
    client.head('GET /stalling HTTP/1.1', 'Host: h');
    await client.until(/one/);
    client.socket.destroy();
    await log.until('finally');
    await eventually(() => ongoing(app.serve) === 0);
  });
});
