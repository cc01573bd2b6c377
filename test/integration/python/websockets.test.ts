import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../../src/index.ts';
import { BlockingTalkerDeployment, TalkerDeployment } from '../../fixtures/python/web.ts';
import { listen } from '../../support/http/listen.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';
import { eventually } from '../../support/until.ts';

type Talker = { seen(): unknown[] };

describe.skipIf(!HAS_PYTHON)('WebSockets into Python (skipped without Python 3.9 or newer)', () => {
  const resources = new AsyncDisposableStack();
  let port: number;
  let handle: DeploymentHandle<Talker>;
  beforeAll(async () => {
    const serve = resources.use(quietServe());
    handle = (await serve.run(TalkerDeployment.bind())) as DeploymentHandle<Talker>;
    const host = resources.use(await listen(serve.middleware()));
    serve.attachWebSocket(host.server);
    port = host.port;
  });
  afterAll(() => resources.disposeAsync());

  const connect = (path = '/') => SocketClient.connect(port, path);
  const seen = (end: unknown): Promise<void> =>
    eventually(async () =>
      (await handle.seen.remote()).some((one) => JSON.stringify(one) === JSON.stringify(end)),
    );

  test('55: text and bytes come back in their order, and the server closes with a code and a reason', async () => {
    using client = await connect();
    const binary = Buffer.from([0, 255, 1]);
    client.send('grüße 🚀').send(binary).send('').send(Buffer.alloc(0));
    expect(await client.take(4)).toEqual(['grüße 🚀', binary, '', Buffer.alloc(0)]);
    for (let index = 0; index < 500; index++) client.send(`${index}`);
    expect(await client.take(500)).toEqual(Array.from({ length: 500 }, (_, index) => `${index}`));
    client.send('close');
    expect(await client.closed).toEqual({ code: 3000, reason: 'enough' });
  });

  test('55: the handler hears that the client has closed, or is gone', async () => {
    using polite = await connect();
    polite.ws.close(4001, 'bye');
    await seen([4001, 'bye']);
    using rude = await connect();
    rude.ws.terminate();
    await seen([1006, '']);
  });

  test('1 MiB of bytes and of text', async () => {
    using client = await connect();
    const bytes = Buffer.alloc(1_048_576, 7);
    client.send(bytes).send('x'.repeat(1_048_576));
    expect(bytes.equals((await client.next()) as Buffer)).toBe(true);
    expect(await client.next()).toHaveLength(1_048_576);
  });

  test('a method that returns closes its connection', async () => {
    using client = await connect('/greeting');
    expect(await client.next()).toBe('hello');
    expect(await client.closed).toEqual({ code: 1000, reason: '' });
  });

  test('one that fails closes it with 1011; what cannot be sent is refused', async () => {
    using client = await connect();
    client.send('number');
    expect(await client.next()).toBe('WebSocket.send(): got int; allowed: str, bytes, bytearray, memoryview');
    client.send('fail');
    expect((await client.closed).code).toBe(1011);
  });

  test('a method that cannot serve one is refused when it is deployed', async () => {
    await using serve = quietServe();
    await expect(serve.run(BlockingTalkerDeployment.bind())).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining('make it `async def websocket(self, socket, request)`'),
    });
  });

  test('a receiver that gives up takes no message with it, and a sender hears that the client has left', async () => {
    using client = await connect('/patient');
    expect(await client.next()).toBe('ready');
    client.send('first');
    expect(await client.take(2)).toEqual(['first', 'x']);
    client.ws.close();
    await seen('SERVE_CANCELLED');
  });
});
