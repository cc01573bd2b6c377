import { tracingChannel } from 'node:diagnostics_channel';
import type { IncomingMessage, ServerResponse } from 'node:http';
import middie from '@fastify/middie';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import { describe, expect, test } from 'vitest';
import type { Logger } from '../../src/index.ts';
import { fastifyServe } from '../../src/shells/fastify.ts';
import {
  answering,
  conversing,
  entering,
  forgotten,
  keeping,
  leavesNothing,
  stores,
  telling,
} from '../fixtures/observed/contexts.ts';
import type { Mounted } from '../integration/every-framework/suites.ts';
import { start as startFastify } from '../integration/fastify/mount.ts';
import { collected } from '../support/garbage.ts';
import { listen } from '../support/http/listen.ts';
import { SocketClient } from '../support/http/socket-client.ts';
import { LongLived } from '../support/long-lived.ts';
import { quietServe } from '../support/quiet.ts';

interface Seen {
  readonly where: string;
  readonly path: string;
  readonly store: unknown;
}

/** What runs on the host for a request, and in whose store. */
class Witness implements Logger {
  readonly seen: Seen[] = [];

  debug(): void {}

  warn(): void {}

  info(fields: object, message: string): void {
    this.#record(message, fields);
  }

  error(fields: object, message: string): void {
    this.#record(message, fields);
  }

  note(where: string, req: IncomingMessage): void {
    this.seen.push({ where, path: pathOf(req), store: stores.getStore() });
  }

  /** Listens, and wraps the methods of the response as middleware does. */
  watch(req: IncomingMessage, res: ServerResponse): void {
    for (const event of ['finish', 'close']) res.on(event, () => this.note(event, req));
    for (const name of ['end', 'writeHead', 'write'] as const) {
      const native = res[name] as (...args: unknown[]) => unknown;
      Reflect.set(res, name, (...args: unknown[]) => {
        this.note(name, req);
        return native.apply(res, args);
      });
    }
  }

  /** Records of shared things name no path. */
  #record(message: string, fields: object): void {
    const path: unknown = Reflect.get(fields, 'path') ?? Reflect.get(fields, 'url');
    if (typeof path === 'string')
      this.seen.push({ where: `log: ${message.slice(0, 8)}`, path, store: stores.getStore() });
  }
}

function pathOf({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  return url;
}

/** The request's own store. */
function storeOf(req: IncomingMessage): object {
  return { path: pathOf(req) };
}

/** Where each request was seen, after proving that it was only in its own store. */
async function placesIn({ port }: Mounted, witness: Witness): Promise<Map<string, Set<string>>> {
  const ask = async (path: string, init: RequestInit = {}): Promise<void> => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, init);
    await answer.arrayBuffer();
  };
  await ask('/first');
  const paths = ['/one', '/two', '/stream', '/fail', '/absent', '/three'];
  await Promise.all(paths.map((path, index) => ask(`${path}-${index}`)));
  for (const path of paths) await ask(path);
  await ask('/small', { method: 'POST', body: 'x' });
  await ask('/large', { method: 'POST', body: 'x'.repeat(500_000) });
  await expect
    .poll(() => witness.seen.some(({ where, path }) => where === 'close' && path === '/large'))
    .toBe(true);
  const wrong = witness.seen.filter(({ path, store }) => Reflect.get(Object(store), 'path') !== path);
  expect(wrong).toEqual([]);
  const places = new Map<string, Set<string>>();
  for (const { where, path } of witness.seen) {
    const known = places.get(path) ?? new Set();
    places.set(path, known.add(where.replace(/ .*/, '')));
  }
  return places;
}

function places(...names: string[]): Set<string> {
  return new Set(names);
}

describe('all that runs for a request runs in its own store', () => {
  test('in Express, with everything behind the middleware', async () => {
    const witness = new Witness();
    await using serve = quietServe({ logger: witness });
    const host = express();
    host.use((req, res, next) => {
      witness.watch(req, res);
      stores.run(storeOf(req), next);
    });
    host.use(serve.middleware(answering.bind(), { passthrough: true, onError: 'next', bodyLimit: '1mb' }));
    host.use((req, res) => {
      witness.note('behind', req);
      res.end();
    });
    host.use(((error, req, res, _next) => {
      witness.note('failed', req);
      res.statusCode = error.statusCode;
      res.end();
    }) as express.ErrorRequestHandler);
    await using server = await listen(host);
    const seen = await placesIn(server, witness);
    expect(seen.get('/one')).toEqual(places('log:', 'end', 'writeHead', 'finish', 'close'));
    expect(seen.get('/stream')).toEqual(places('log:', 'end', 'write', 'writeHead', 'finish', 'close'));
    expect(seen.get('/absent')).toContain('behind');
    expect(seen.get('/fail')).toContain('failed');
  });

  test('without a framework, with the errors that inserve answers and records', async () => {
    const witness = new Witness();
    await using serve = quietServe({ logger: witness });
    const middleware = serve.middleware(answering.bind());
    await using server = await listen((req, res) => {
      witness.watch(req, res);
      stores.run(storeOf(req), () => middleware(req, res));
    });
    const seen = await placesIn(server, witness);
    expect(seen.get('/fail')).toEqual(places('log:', 'end', 'writeHead', 'finish', 'close'));
  });

  test('in Koa', async () => {
    const witness = new Witness();
    await using serve = quietServe({ logger: witness });
    const host = new Koa();
    host.silent = true;
    host.use(async (ctx, next) => {
      await next();
      witness.note('after', ctx.req);
    });
    host.use(serve.middleware(answering.bind(), { passthrough: true }));
    const answer = host.callback();
    await using server = await listen((req, res) => {
      witness.watch(req, res);
      void stores.run(storeOf(req), () => answer(req, res));
    });
    const seen = await placesIn(server, witness);
    expect(seen.get('/absent')).toContain('after');
  });

  test.each(['plugin', 'middie'])('in Fastify (%s), with its hooks', async (kind) => {
    const witness = new Witness();
    await using serve = quietServe({ logger: witness });
    const host = fastify({ forceCloseConnections: true });
    host.addHook('onRequest', (request, reply, done) => {
      witness.watch(request.raw, reply.raw);
      stores.run(storeOf(request.raw), done);
    });
    host.addHook('onSend', async (request) => witness.note('onSend', request.raw));
    host.addHook('onResponse', async (request) => witness.note('onResponse', request.raw));
    if (kind === 'plugin') {
      await host.register(fastifyServe, { serve, app: answering.bind() });
    } else {
      await host.register(middie);
      host.use(serve.middleware(answering.bind()));
    }
    await using server = await startFastify(host);
    const seen = await placesIn(server, witness);
    if (kind === 'plugin') expect(seen.get('/stream')).toContain('onSend');
    expect(seen.get('/one')).toContain('onResponse');
  });

  test('an inline call that waited behind others', async () => {
    await using serve = quietServe();
    const app = telling.options({ isolation: 'inline' }).bind();
    const handle = serve.handle(app);
    const asked = [1, 2, 3].map((id) => ({ id }));
    const ask = () => Promise.all(asked.map((store) => stores.run(store, () => handle.store.remote())));
    const own = asked.map((store) => [store, store]);
    // Those that wait for the replica to be made, and those that wait for a place.
    expect(await ask()).toEqual(own);
    expect(await ask()).toEqual(own);
  });

  test('the end of a trace', async () => {
    await using serve = quietServe();
    const handle = await serve.run(telling.bind(), { routePrefix: null });
    const ended: unknown[] = [];
    const ignore = (): void => {};
    const asyncEnd = (): void => void ended.push(stores.getStore());
    const listener = { start: ignore, end: ignore, asyncStart: ignore, asyncEnd, error: ignore };
    const channel = tracingChannel('inserve:call');
    channel.subscribe(listener);
    const asked = [1, 2, 3].map((id) => ({ id }));
    await Promise.all(asked.map((store) => stores.run(store, () => handle.echo.remote(0))));
    channel.unsubscribe(listener);
    expect(ended).toEqual(asked);
  });
});

describe('WebSockets', () => {
  test('each in its own store, in the replica and in the records of the host', async () => {
    const recorded: unknown[] = [];
    const logger = new Witness();
    logger.error = (): void => void recorded.push(stores.getStore());
    await using serve = quietServe({ logger });
    await using host = await listen(serve.middleware(conversing.bind(), { path: '/' }));
    serve.attachWebSocket(host.server);
    // As a request logger does it: each connection has a store from its upgrade on.
    const [attached] = host.server.listeners('upgrade') as [(...args: unknown[]) => void];
    host.server.removeAllListeners('upgrade');
    host.server.on('upgrade', (req, socket, head) => {
      stores.run(storeOf(req), () => attached.call(host.server, req, socket, head));
    });
    const paths = ['/first', '/second', '/third'];
    for (const path of paths) {
      using client = await SocketClient.connect(host.port, path);
      expect(JSON.parse(String(await client.send('who').next()))).toEqual([{ path }, { path }]);
      client.send('fail');
      expect(await client.closed).toMatchObject({ code: 1011 });
    }
    await expect.poll(() => recorded).toEqual(paths.map((path) => ({ path })));
  });
});

describe('what is shared has no store', () => {
  test.each(['thread', 'inline'] as const)(
    'the record of a failure that nobody looked at (%s)',
    async (isolation) => {
      const kept: unknown[] = [];
      const logger = new Witness();
      logger.error = (_fields: object, message: string): void => {
        if (message.includes('unhandled call failure')) kept.push(stores.getStore());
      };
      await using serve = quietServe({ logger });
      const handle = await serve.run(telling.options({ isolation }).bind(), { routePrefix: null });
      stores.run({ id: 1 }, () => void handle.fails.remote());
      await expect.poll(() => kept).toEqual([undefined]);
    },
  );

  test('timers, ports and listeners of the host that a first request makes', async () => {
    await using serve = quietServe();
    using left = new LongLived(stores);
    const told: unknown[] = [];
    serve.on('replica', () => told.push(stores.getStore()));
    // Deployed by the first call, while the others wait.
    const handle = serve.handle(telling.bind());
    await leavesNothing(() => handle.echo.remote(0));
    expect(left.types).toEqual([]);
    expect(told.length).toBeGreaterThan(0);
    expect(told).toEqual(told.map(() => undefined));
  });

  test('what a request deploys, reloads and deletes', async () => {
    await using serve = quietServe();
    using left = new LongLived(stores);
    const told: unknown[] = [];
    for (const name of ['replica', 'deployment'] as const) serve.on(name, () => told.push(stores.getStore()));
    const ref = await forgotten(async () => {
      const handle = await serve.run(telling.bind(), { routePrefix: null });
      await handle.echo.remote(1);
      await serve.reload('Telling');
      await serve.run(telling.options({ numReplicas: 2 }).bind(), { routePrefix: null });
      await handle.echo.remote(1);
    });
    await collected(ref);
    expect(left.types).toEqual([]);
    expect(new Set(told)).toEqual(new Set([undefined]));
  });

  test('the same in a replica that calls others', async () => {
    await using serve = quietServe();
    const handle = await serve.run(keeping, { routePrefix: null });
    expect(await handle.children.remote()).toEqual([]);
  });

  test('a batch, whose items keep theirs', async () => {
    await using serve = quietServe();
    const handle = await serve.run(keeping, { routePrefix: null });
    const { sized, ran } = await handle.batches.remote();
    expect(sized).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }]);
    expect(ran).toEqual(ran.map(() => [null, null]));
  });
  test('the load of a model, which knows for which call it is', async () => {
    await using serve = quietServe();
    const handle = await serve.run(keeping, { routePrefix: null });
    const asked = handle.options({ multiplexedModelId: 'm' }).model.remote();
    expect(await asked).toEqual(['m', null, 'm']);
  });
});

describe('quick calls of one message', () => {
  test('see nothing of the stores that calls before them entered', async () => {
    await using serve = quietServe();
    const handle = await serve.run(entering.bind(), { routePrefix: null });
    for (let round = 0; round < 5; round++) {
      const answers = await Promise.all(Array.from({ length: 64 }, (_, id) => handle.enter.remote(id)));
      expect(answers).toEqual(Array(64).fill([null, true]));
    }
  });

  test('nor do the listeners of another one that is cancelled behind them', async () => {
    await using serve = quietServe();
    const handle = await serve.run(entering.bind(), { routePrefix: null });
    await Promise.all(Array.from({ length: 64 }, (_, id) => handle.enter.remote(id)));
    const waiting = handle.cancelled.remote();
    // It has begun once others that came later are answered.
    await Promise.all(Array.from({ length: 64 }, (_, id) => handle.enter.remote(id)));
    const others = Array.from({ length: 4 }, (_, id) => handle.enter.remote(id));
    waiting.cancel();
    await Promise.all([...others, waiting.catch(() => {})]);
    expect(await handle.seen.remote()).toEqual([[null, '']]);
  });
});
