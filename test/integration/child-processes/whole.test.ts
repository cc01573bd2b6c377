import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle, Serve } from '../../../src/index.ts';
import { asker, type Whole, whole } from '../../fixtures/calls/whole.ts';
import { send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { quietServe } from '../../support/quiet.ts';
import { event, eventually, status } from '../../support/until.ts';

describe('a replica in a process', () => {
  let serve: Serve;
  let handle: DeploymentHandle<typeof Whole>;
  let server: Awaited<ReturnType<typeof listen>>;

  beforeAll(async () => {
    serve = quietServe({ resources: { gpus: 4 } });
    handle = await serve.run(whole.options({ resources: { gpus: 2 } }).bind());
    server = await listen(serve.middleware(undefined, { bodyLimit: '8mb' }));
    serve.attachWebSocket(server.server);
  });
  afterAll(async () => {
    await serve.close();
    await server[Symbol.asyncDispose]();
  });

  test('answers HTTP, takes uploads in pieces, and streams', async () => {
    const about = JSON.parse((await send(server.port, '/about', { method: 'DELETE' })).text);
    expect(about).toEqual({ pathname: '/about', method: 'DELETE', pid: await handle.pid.remote() });
    expect(about.pid).not.toBe(process.pid);
    const pieces = Array.from({ length: 40 }, (_, index) => Buffer.alloc(50_000, index));
    const upload = (path: string) =>
      send(server.port, path, {
        method: 'POST',
        body: (async function* () {
          yield* pieces;
        })(),
      });
    expect(JSON.parse((await upload('/size')).text)).toEqual({ bytes: 2_000_000 });
    const echoed = await upload('/echo');
    expect(echoed.headers['x-echoed']).toBe('yes');
    expect(echoed.body.equals(Buffer.concat(pieces))).toBe(true);
    expect((await send(server.port, '/stream')).text).toBe('one two three');
  });

  test('serves WebSockets, text and bytes, and closes them with a code', async () => {
    using client = await SocketClient.connect(server.port, '/');
    const bytes = Buffer.from([0, 255, 1]);
    client.send('grüße 🚀').send(bytes).send('close');
    expect([await client.next(), await client.next()]).toEqual(['grüße 🚀', bytes]);
    expect(await client.closed).toEqual({ code: 3000, reason: 'enough' });
  });

  test('says once why a result cannot come from it', async () => {
    await expect(handle.shared.remote()).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: expect.stringMatching(
        /^result\.memory cannot cross to another process: it is a SharedArrayBuffer/,
      ),
    });
  });

  test('keeps the models that it has loaded', async () => {
    const use = (id: string) => handle.options({ multiplexedModelId: id }).model.remote();
    for (const id of ['a', 'b', 'a', 'c', 'a']) expect((await use(id)).id).toBe(id);
    expect(await handle.loads.remote()).toEqual(['a', 'b', 'c']);
  });

  test('counts metrics on the scrape of the host', async () => {
    for (const kind of ['x', 'y', 'x']) await handle.count.remote(kind);
    await eventually(async () => /whole_calls\{[^}]*kind="x"[^}]*\} 2\n/.test(await serve.metrics()));
    expect(await serve.metrics()).toMatch(/whole_calls\{[^}]*deployment="Whole"[^}]*kind="y"[^}]*\} 1\n/);
  });

  test('sees the devices that are reserved for it, in its environment from the start', async () => {
    expect(await handle.devices.remote()).toEqual({ visible: '0,1', gpus: [0, 1] });
    if (process.platform !== 'linux') return;
    // Native code reads what the process was started with.
    const environment = readFileSync(`/proc/${await handle.pid.remote()}/environ`, 'utf8').split('\0');
    expect(environment).toContain('CUDA_VISIBLE_DEVICES=0,1');
  });

  test('is reconfigured in place', async () => {
    await using other = quietServe();
    const at = (userConfig: unknown) => whole.options({ userConfig }).bind();
    const configured = await other.run(at({ n: 1 }), { name: 'app' });
    const before = await configured.configured.remote();
    expect(before.config).toEqual({ n: 1 });
    await other.run(at({ n: 2 }), { name: 'app' });
    expect(await configured.configured.remote()).toEqual({ config: { n: 2 }, pid: before.pid });
  });

  test('calls other replicas: broadcast, map and explain', async () => {
    await using other = quietServe();
    const child = whole.options({ numReplicas: 2 }).bind();
    const asking = await other.run(asker.bind(child));
    await status(other, 'Asker', 'Whole', 'HEALTHY');
    const pids = await other.handle(child).broadcast('pid');
    expect(new Set(pids).size).toBe(2);
    expect([...(await asking.askAll.remote())].sort()).toEqual([...pids].sort());
    expect(await asking.countAll.remote(Array.from({ length: 50 }, () => 'mapped'))).toBe(50);
    expect(await asking.account.remote()).toEqual({ state: 'ok', deployment: 'Whole', attempts: 1 });
  });

  test.runIf(process.platform === 'linux')(
    'is replaced where it holds more than its memory, and says so',
    async () => {
      await using other = quietServe();
      const limited = await other.run(
        whole.options({ resources: { memoryMb: 300 }, gracefulShutdownTimeoutMs: 100 }).bind(),
      );
      const pid = await limited.pid.remote();
      const hanging = limited.hang.remote().catch((error: unknown) => error);
      const stopped = event(other, 'replica', ({ state }) => state === 'STOPPED', 30_000);
      await limited.keep.remote(600).catch(() => {});
      expect(await hanging).toMatchObject({
        code: 'SERVE_REPLICA_DIED',
        message: expect.stringMatching(
          /its process held \d+ MiB, far more than its resources\.memoryMb \(300\)/,
        ),
      });
      await stopped;
      expect(await limited.pid.remote()).not.toBe(pid);
    },
  );

  test('that someone else killed names the signal; one that the host ends says why', async () => {
    await using other = quietServe();
    const victim = await other.run(whole.bind());
    const killed = victim.hang.remote().catch((error: unknown) => error);
    process.kill(await victim.pid.remote(), 'SIGTERM');
    expect(await killed).toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('its process was ended by SIGTERM'),
      cause: { signal: 'SIGTERM', exitCode: null },
    });
    const ended = (await other.run(whole.options({ gracefulShutdownTimeoutMs: 50 }).bind())).hang
      .remote()
      .catch((error: unknown) => error);
    await victim.pid.remote();
    await other.delete('Whole');
    expect(await ended).toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('stopped before the call ended'),
    });
  });
});
