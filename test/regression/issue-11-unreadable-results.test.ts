import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../src/index.ts';
import { type Giver, giver } from '../fixtures/faulty/unreadable.ts';
import { send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { SocketClient } from '../support/http/socket-client.ts';
import { quietServe } from '../support/quiet.ts';
import { UNREADABLE_NAMES } from '../support/unreadable.ts';

const REFUSED = expect.objectContaining({ code: 'SERVE_NOT_SERIALIZABLE' });

describe.each(['thread', 'inline'] as const)('in a replica with isolation %s', (isolation) => {
  let serve: ReturnType<typeof quietServe>;
  let handle: DeploymentHandle<Giver>;
  let server: Awaited<ReturnType<typeof listen>>;
  let waiting: Promise<string>;
  beforeAll(async () => {
    serve = quietServe();
    handle = await serve.run(giver.options({ isolation }).bind(), { routePrefix: null });
    server = await listen(serve.middleware('Giver', { path: '/' }));
    serve.attachWebSocket(server.server);
    waiting = handle.wait.remote();
  });
  afterAll(async () => {
    // The replica is the first one, and the call that it ran all the time ends well.
    expect(await handle.open.remote()).toBe(1);
    expect(await waiting).toBe('still here');
    await server[Symbol.asyncDispose]();
    await serve.close();
  });

  test.each(UNREADABLE_NAMES)('%s fails only its own call as a result', async (name) => {
    if (isolation === 'thread') {
      await expect(handle.give.remote(name)).rejects.toEqual(REFUSED);
      await expect(handle.giveLater.remote(name)).rejects.toEqual(REFUSED);
      const chunks = handle.stream.remote(name) as AsyncIterable<unknown>;
      await expect(Array.fromAsync(chunks)).rejects.toEqual(REFUSED);
    }
    // What is passed by reference may arrive, as far as a promise can have it as its value.
    await Promise.allSettled([handle.give.remote(name), handle.batched.remote(name)]);
  });

  test.each(UNREADABLE_NAMES)('%s fails only its own call as an error', async (name) => {
    const outcomes = await Promise.allSettled([handle.raise.remote(name), handle.raiseLater.remote(name)]);
    for (const outcome of outcomes) {
      expect(outcome.status).toBe('rejected');
      if (isolation === 'thread') expect(outcome).toMatchObject({ reason: REFUSED });
    }
    const around = handle.raiseAround.remote(name);
    await expect(around).rejects.toMatchObject({ name: 'RangeError', message: 'around it' });
  });

  test('a promise that throws when it is asked fails only its own call', async () => {
    await expect(handle.brokenPromise.remote()).rejects.toMatchObject({ message: 'no promise' });
  });

  test.each(UNREADABLE_NAMES)('%s fails only its own request', async (name) => {
    const path = `/?value=${encodeURIComponent(name)}`;
    // What has no readable property may be `{}` in JSON.
    expect([200, 500]).toContain((await send(server.port, path)).status);
    expect((await send(server.port, `${path}&raise`)).status).toBe(500);
    expect((await send(server.port, '/?value=nothing')).text).toBe('readable');
  });

  test.each(UNREADABLE_NAMES)('%s fails only its own conversation', async (name) => {
    const path = `/?value=${encodeURIComponent(name)}`;
    using other = await SocketClient.connect(server.port, path);
    for (const what of ['send', 'raise', 'reject']) {
      using client = await SocketClient.connect(server.port, path);
      client.send(what);
      expect(await client.closed).toMatchObject({ code: 1011 });
    }
    for (const how of [path, `${path}&result`]) {
      using client = await SocketClient.connect(server.port, how);
      expect(await client.send('result').send('echo').next()).toBe('echo');
    }
    expect(await other.send('fine').next()).toBe('fine');
  });
});
