import { createServer } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { ServeMiddleware } from '../../../src/adapters/middleware.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { SocketClient } from '../../support/http/socket-client.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;

const resources = new AsyncDisposableStack();
let host: Member;
let caller: FleetInstance;
let middleware: ServeMiddleware;
let port: number;

const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`);

beforeAll(async () => {
  caller = resources.use(await fleetInstance());
  const { serve } = caller;
  middleware = serve.middleware('probe', { path: '/probe' });
  const server = createServer((req, res) => {
    req.url = req.url?.replace(/^\/probe/, '') || '/';
    middleware(req, res);
  });
  serve.attachWebSocket(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  resources.defer(() => void server.close());
  port = (server.address() as { port: number }).port;
}, START_MS);

afterAll(() => resources.disposeAsync());

test(
  'middleware of an app that only a peer has answers 404 until the peer is known, then serves it',
  async () => {
    const unknown = await get('/probe/x');
    expect([unknown.status, await unknown.json()]).toMatchObject([404, { code: 'SERVE_NOT_FOUND' }]);
    await expect(middleware.ready()).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });

    host = resources.use(await Member.start());
    caller.fleet.connect([host.address]);
    await eventually(async () => (await get('/probe/x')).status === 200);
    await middleware.ready();
    const body = new Uint8Array(100_000);
    const response = await fetch(`http://127.0.0.1:${port}/probe/up/load`, { method: 'POST', body });
    expect(await response.json()).toEqual({ pid: host.pid, bytes: 100_000, path: '/up/load' });
    const metrics = await caller.serve.metrics();
    expect(metrics).toMatch(
      /serve_http_requests_total\{app="probe",deployment="Probe",[^}]*status_code="200"\} [1-9]/,
    );
    // The app is none of this instance's own.
    expect(caller.serve.status().apps).toEqual({});
  },
  START_MS,
);

test(
  'WebSockets reach an app that only a peer has',
  async () => {
    using socket = await SocketClient.connect(port, '/probe');
    expect(await socket.next()).toBe(`from ${host.pid}`);
    socket.send('hello');
    expect(await socket.next()).toBe('hello');
  },
  START_MS,
);

test('an app that no instance has is not found', async () => {
  const none = caller.serve.middleware('nothing');
  await expect(none.ready()).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
});
