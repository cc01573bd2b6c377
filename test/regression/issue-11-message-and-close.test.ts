import { describe, expect, test } from 'vitest';
import { talker } from '../fixtures/http/sockets.ts';
import { talking } from '../integration/websocket/setup.ts';
import { SocketClient } from '../support/http/socket-client.ts';
import { eventually } from '../support/until.ts';

const WHERE = [
  ['in a thread', 'thread'],
  ['inline', 'inline'],
] as const;

describe.each(WHERE)('messages and a close frame at once, %s', (_where, isolation) => {
  const app = () => talking({ app: talker.options({ isolation }).bind() });

  test.each(['echo', 'iterate'])(
    'what code answers at once comes back, and then the close: %s',
    async (way) => {
      await using host = await app();
      using client = await SocketClient.connect(host.port, `/${way}?key=${way}`);
      const messages = Array.from({ length: 100 }, (_, index) => `message ${index}`);
      for (const message of messages) client.send(message);
      client.ws.close(4001, 'goodbye');
      expect(await client.take(100)).toEqual(messages);
      expect(await client.closed).toEqual({ code: 4001, reason: 'goodbye' });
      await host.handle.until.remote(`${way}:closed:4001:goodbye:true`);
      await eventually(() => host.ongoing === 0);
    },
  );

  test('a large one, and a close without a code', async () => {
    await using host = await app();
    using client = await SocketClient.connect(host.port, '/echo?key=large');
    client.send(Buffer.alloc(900_000, 7));
    client.ws.close();
    expect(await client.next()).toHaveLength(900_000);
    expect(await client.closed).toEqual({ code: 1005, reason: '' });
    await host.handle.until.remote('large:closed:1005::true');
  });

  test('messages that wait for a loop are answered before the close', async () => {
    await using host = await app();
    using client = await SocketClient.connect(host.port, '/gated?key=gate');
    client.send('one').send('two').send('three');
    client.ws.close(1000);
    await host.handle.open.remote('gate');
    expect(await client.take(2)).toEqual(['one', 'two']);
    expect(await client.closed).toEqual({ code: 1000, reason: '' });
    await host.handle.until.remote('gate:left');
  });

  test('code that reads too slowly is waited for no longer than 5 s, and code that reads nothing is not waited for', async () => {
    await using host = await app();
    using slow = await SocketClient.connect(host.port, '/gated?key=never');
    using deaf = await SocketClient.connect(host.port, '/deaf?key=deaf');
    const order: string[] = [];
    slow.send('one').send('two');
    slow.ws.close(4002, 'late');
    void slow.closed.then(() => order.push('slow'));
    deaf.send('unheard');
    deaf.ws.close(1000);
    void deaf.closed.then(() => order.push('deaf'));
    expect(await deaf.closed).toEqual({ code: 1000, reason: '' });
    await host.handle.until.remote('deaf:closed');
    await host.handle.open.remote('deaf');
    expect(await slow.closed).toEqual({ code: 4002, reason: 'late' });
    expect(order).toEqual(['deaf', 'slow']);
    await host.handle.until.remote('never:closed:4002:late:true');
    await host.handle.open.remote('never');
    await host.handle.until.remote('never:left');
    await eventually(() => host.ongoing === 0);
  });

  test('both sides close at once', async () => {
    await using host = await app();
    using client = await SocketClient.connect(host.port, '/close?key=both');
    client.send('[4003, "ours"]');
    client.ws.close(4004, 'theirs');
    expect(await client.closed).toEqual({ code: 4003, reason: 'ours' });
    await eventually(() => host.ongoing === 0);
  });

  test('a client that closes and goes away ends its call', async () => {
    await using host = await app();
    using client = await SocketClient.connect(host.port, '/echo?key=gone');
    client.send('x');
    client.ws.close(1000);
    client.ws.terminate();
    await host.handle.until.remote('gone:closed');
    await eventually(() => host.ongoing === 0);
  });
});
