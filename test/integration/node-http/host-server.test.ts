import { createServer, type Server, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { describe, expect, test } from 'vitest';
import { fastifyServe } from '../../../src/shells/fastify.ts';
import { asFunction } from '../../fixtures/http/shapes.ts';
import { talker } from '../../fixtures/http/sockets.ts';
import { RawClient, send } from '../../support/http/client.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { quietServe } from '../../support/quiet.ts';

type Quiet = ReturnType<typeof quietServe>;

/** What the log was warned of about the host's server, by setting. */
function warnings(serve: Quiet): string[] {
  return serve.log.records
    .filter(({ level, message }) => level === 'warn' && message.startsWith("the host's server"))
    .flatMap(({ fields }) => Object.keys(fields));
}

async function listening(server: Server): Promise<AsyncDisposable & { readonly port: number }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe("the host's server", () => {
  test.each<[string, ServerOptions, string[]]>([
    ['security row 9: insecureHTTPParser', { insecureHTTPParser: true }, ['insecureHTTPParser']],
    ['security row 10: no headersTimeout', { headersTimeout: 0 }, ['headersTimeout']],
    ['security row 10: no requestTimeout', { headersTimeout: 10, requestTimeout: 0 }, ['requestTimeout']],
    ['nothing to say', {}, []],
  ])('%s: told once per server', async (_what, options, expected) => {
    await using serve = quietServe();
    const middleware = serve.middleware(asFunction.bind());
    for (let server = 1; server <= 2; server++) {
      await using host = await listening(createServer(options, middleware));
      for (let request = 0; request < 3; request++) {
        expect((await send(host.port, '/open')).status).toBe(200);
      }
      expect(warnings(serve)).toEqual(Array(server).fill(expected).flat());
    }
  });

  test('security row 9: the flag of the process is the default of all servers', async () => {
    await using serve = quietServe();
    const before = process.env['NODE_OPTIONS'];
    process.env['NODE_OPTIONS'] = '--insecure-http-parser';
    try {
      await using host = await listening(createServer(serve.middleware(asFunction.bind())));
      await send(host.port, '/open');
      await using strict = await listening(
        createServer({ insecureHTTPParser: false }, serve.middleware('asFunction')),
      );
      await send(strict.port, '/open');
    } finally {
      if (before === undefined) delete process.env['NODE_OPTIONS'];
      else process.env['NODE_OPTIONS'] = before;
    }
    expect(warnings(serve)).toEqual(['insecureHTTPParser']);
  });

  test('security row 10: what Fastify makes by default has no requestTimeout; inject() has no server', async () => {
    await using serve = quietServe();
    await using host = fastify({ forceCloseConnections: true });
    await host.register(fastifyServe, { serve, app: asFunction.bind() });
    expect((await host.inject('/open')).statusCode).toBe(200);
    expect(warnings(serve)).toEqual([]);
    await host.listen({ host: '127.0.0.1', port: 0 });
    await send((host.server.address() as AddressInfo).port, '/open');
    expect(warnings(serve)).toEqual(['requestTimeout']);
  });

  test('security row 10: a server that only upgrades is looked at as well', async () => {
    await using serve = quietServe();
    await serve.run(talker.bind(), { name: 'talker', routePrefix: '/talk' });
    const server = Object.assign(createServer(), { requestTimeout: 0 });
    await using host = await listening(server);
    serve.attachWebSocket(server);
    using client = await SocketClient.connect(host.port, '/talk/echo');
    client.ws.close();
    expect(warnings(serve)).toEqual(['requestTimeout']);
  });

  test("security row 10: Node's own timeouts cut what takes for ever over its headers, and nobody else", async () => {
    await using serve = quietServe();
    const options = { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 };
    await using host = await listening(createServer(options, serve.middleware(asFunction.bind())));
    const slow = await Promise.all(Array.from({ length: 50 }, () => RawClient.connect(host.port)));
    for (const client of slow) client.write('GET / HTTP/1.1\r\nHost: h\r\nX-Slow: ');
    expect((await send(host.port, '/open')).status).toBe(200);
    for (const client of slow) expect(await client.closed()).toMatch(/^HTTP\/1.1 408 /);
    expect((await send(host.port, '/open')).status).toBe(200);
  });
});
