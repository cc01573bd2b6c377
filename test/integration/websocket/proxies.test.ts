import express from 'express';
import { describe, expect, test } from 'vitest';
import { talker } from '../../fixtures/http/sockets.ts';
import { listen } from '../../support/http/listen.ts';
import { refusal, SocketClient } from '../../support/http/socket-client.ts';
import { quietServe } from '../../support/quiet.ts';

/** What a proxy says that ends TLS and knows the client. */
const FORWARDED = {
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'app.example',
  'x-forwarded-for': '203.0.113.7, 10.0.0.1',
};

/** What the ingress sees of a connection through an Express app with this setting. */
async function seen(trust: unknown, headers: Record<string, string> = FORWARDED) {
  await using serve = quietServe();
  await serve.run(talker.options({ isolation: 'inline' }).bind());
  const host = express().set('trust proxy', trust);
  await using server = await listen(host.use(serve.middleware()));
  serve.attachWebSocket(server.server);
  const local = `http://127.0.0.1:${server.port}/context`;
  const foreign = await refusal(server.port, '/context', { headers, origin: 'https://evil.example' });
  expect(foreign.status).toBe(403);
  const sameHost = await SocketClient.connect(server.port, '/context', {
    headers,
    origin: 'https://app.example',
  }).catch(() => undefined);
  sameHost?.[Symbol.dispose]();
  using client = await SocketClient.connect(server.port, '/context', { headers });
  client.send('?');
  const { url, ip } = JSON.parse(String(await client.next()));
  return { url: url === local ? 'local' : url, ip, letsIn: sameHost !== undefined };
}

/** Express' `trust proxy` decides about upgrades as it does about requests. */
describe("a WebSocket through Express' trust proxy", () => {
  test('off: what the proxy says is not believed', async () => {
    expect(await seen(false)).toEqual({ url: 'local', ip: '127.0.0.1', letsIn: false });
  });

  test('on: scheme, host and address are those of the client, and so is what is the same host', async () => {
    expect(await seen(true)).toEqual({ url: 'https://app.example/context', ip: '203.0.113.7', letsIn: true });
  });

  test('one hop: as Express counts', async () => {
    expect((await seen(1)).ip).toBe('10.0.0.1');
  });

  test('only what the setting names is believed', async () => {
    expect(await seen('192.0.2.0/24')).toEqual({ url: 'local', ip: '127.0.0.1', letsIn: false });
    expect((await seen('loopback')).ip).toBe('10.0.0.1');
  });

  test('a setting that throws refuses the connection, and takes nobody along', async () => {
    await using serve = quietServe();
    await serve.run(talker.options({ isolation: 'inline' }).bind());
    const host = express().set('trust proxy', () => {
      throw new Error('secret trust');
    });
    await using server = await listen(host.use(serve.middleware()));
    serve.attachWebSocket(server.server);
    const { status, body } = await refusal(server.port, '/echo', { headers: FORWARDED });
    expect(status).toBe(500);
    expect(body).not.toContain('secret');
  });
});
