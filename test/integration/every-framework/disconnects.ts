import { describe, expect, test } from 'vitest';
import { probe } from '../../fixtures/http/probe.ts';
import { RawClient, send } from '../../support/http/client.ts';
import {
  calmServe,
  freshKey,
  type Mount,
  ongoing,
  outcomes,
  queued,
  recorder,
  sharedProbe,
} from './setup.ts';

/** A client that goes away, at each stage of its request. */
export function disconnects(mount: Mount): void {
  describe('a client that leaves', () => {
    const shared = sharedProbe(mount, { bodyLimit: '64mb' });
    const leave = async (path: string, ...rest: string[]) => {
      const client = await RawClient.connect(shared.port);
      client.head(`${rest.length === 0 ? 'GET' : 'POST'} ${path} HTTP/1.1`, 'Host: h', ...rest);
      return client;
    };

    test('25: while its request runs: the signal aborts, the place is freed when the code ends', async () => {
      const key = freshKey();
      const before = await outcomes(shared.serve, 'cancelled');
      using client = await leave(`/wait/x?key=${key}`);
      await shared.probe.until.remote(`${key}:started`);
      client.socket.destroy();
      await shared.probe.until.remote(`${key}:aborted:SERVE_CANCELLED`);
      expect(ongoing(shared.serve)).toBe(1);
      expect(await outcomes(shared.serve, 'cancelled')).toBe(before + 1);
      await shared.probe.open.remote(key);
      await shared.probe.until.remote(`${key}:ended`);
      await expect.poll(() => ongoing(shared.serve)).toBe(0);
    });

    test('25: is a matter for the log at its lowest level', async () => {
      const { records, logger } = recorder();
      await using serve = calmServe(logger);
      const app = probe.bind();
      await using server = await mount({ serve, app });
      using client = await RawClient.connect(server.port);
      client.head('GET /wait/x?key=logged HTTP/1.1', 'Host: h', 'X-Request-Id: left');
      await serve.handle(app).until.remote('logged:started');
      client.socket.destroy();
      await serve.handle(app).until.remote('logged:aborted:SERVE_CANCELLED');
      await serve.handle(app).open.remote('logged');
      const about = records.filter(({ fields }) => Reflect.get(fields, 'requestId') === 'left');
      expect(about).toMatchObject([{ level: 'debug', fields: { statusCode: 499 } }]);
    });

    test('while it uploads: whoever reads the body hears of it', async () => {
      const key = freshKey();
      const before = await outcomes(shared.serve, 'cancelled');
      using client = await leave(`/read-first/x?key=${key}`, 'Transfer-Encoding: chunked');
      client.write('3\r\nabc\r\n');
      await shared.probe.until.remote(`${key}:started`);
      client.socket.destroy();
      await shared.probe.until.remote(`${key}:aborted:SERVE_CANCELLED`);
      await shared.probe.open.remote(key);
      await shared.probe.until.remote(`${key}:ended`);
      expect(await outcomes(shared.serve, 'cancelled')).toBe(before + 1);
      expect((await send(shared.port, '/kind/number')).text).toBe('0.5');
    });

    test('while a small body is still on its way: it never runs, and is counted', async () => {
      const key = freshKey();
      const before = await outcomes(shared.serve, 'cancelled');
      using client = await leave(`/wait/x?key=${key}`, 'Content-Length: 10');
      client.write('half');
      client.socket.destroy();
      await expect.poll(() => outcomes(shared.serve, 'cancelled')).toBe(before + 1);
      expect(await shared.probe.count.remote(`${key}:started`)).toBe(0);
    });

    test('while its answer streams', async () => {
      const key = freshKey();
      const before = await outcomes(shared.serve, 'cancelled');
      using client = await leave(`/stream/ticking?key=${key}`);
      await client.until('tick 1');
      client.socket.destroy();
      await shared.probe.until.remote(`${key}:finally`);
      expect(await outcomes(shared.serve, 'cancelled')).toBe(before + 1);
      await expect.poll(() => ongoing(shared.serve)).toBe(0);
    });

    test('by half: it only says that it sends no more, and is still answered', async () => {
      const key = freshKey();
      using client = await leave(`/wait/x?key=${key}`, 'Content-Length: 2', 'Connection: close');
      client.write('ok');
      await shared.probe.until.remote(`${key}:started`);
      await shared.probe.open.remote(key);
      expect(await client.closed()).toMatch(/waited$/);
      expect(await shared.probe.count.remote(`${key}:aborted:SERVE_CANCELLED`)).toBe(0);
    });

    test('with a request pipelined behind another: both are cancelled', async () => {
      const [first, second] = [freshKey(), freshKey()];
      using client = await leave(`/wait/x?key=${first}`);
      client.head(`GET /wait/x?key=${second} HTTP/1.1`, 'Host: h');
      await shared.probe.until.remote(`${first}:started`);
      await shared.probe.until.remote(`${second}:started`);
      client.socket.destroy();
      await shared.probe.until.remote(`${first}:aborted:SERVE_CANCELLED`);
      await shared.probe.until.remote(`${second}:aborted:SERVE_CANCELLED`);
      await shared.probe.open.remote(first);
      await shared.probe.open.remote(second);
    });

    test('none of it has hurt the replica', async () => {
      const [app] = Object.values(shared.serve.status().apps);
      expect(app?.deployments['Probe']).toMatchObject({ restarts: 0, replicaStates: { RUNNING: 1 } });
    });

    test('a request that is answered is not aborted', async () => {
      const key = freshKey();
      await shared.probe.open.remote(key);
      await send(shared.port, `/wait/x?key=${key}`, { method: 'POST', body: 'body' });
      await send(shared.port, `/kind/number`);
      expect(await shared.probe.count.remote(`${key}:aborted:SERVE_CANCELLED`)).toBe(0);
    });
  });

  describe('a client that leaves while its request is queued', () => {
    test('its request never runs, and those behind it move up', async () => {
      await using serve = calmServe();
      const app = probe.options({ maxOngoingRequests: 1 }).bind();
      await using server = await mount({ serve, app });
      const first = send(server.port, '/wait/x?key=first');
      await expect.poll(() => ongoing(serve)).toBe(1);
      using leaver = await RawClient.connect(server.port);
      leaver.head('GET /wait/x?key=leaver HTTP/1.1', 'Host: h');
      await expect.poll(() => queued(serve)).toBe(1);
      const last = send(server.port, '/kind/number');
      await expect.poll(() => queued(serve)).toBe(2);
      leaver.socket.destroy();
      await expect.poll(() => queued(serve)).toBe(1);
      expect(await outcomes(serve, 'cancelled')).toBe(1);
      // Past the limit: the one place is taken.
      await serve.handle(app).broadcast('open', 'first');
      expect((await first).text).toBe('waited');
      expect((await last).text).toBe('0.5');
      expect(await serve.handle(app).count.remote('leaver:started')).toBe(0);
    });
  });
}
