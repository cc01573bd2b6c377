import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fleetOptions } from '../../../src/cluster/fleet-settings.ts';
import { createUpgrade } from '../../../src/wire/websocket-link.ts';
import { basic } from '../../fixtures/calls/basic.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { fleetInstance } from '../../support/fleet/instances.ts';
import { quietServe } from '../../support/quiet.ts';
import { event, eventually } from '../../support/until.ts';
import { certificates, dialling, SECRET, security } from '../../support/wire/links.ts';

const TLS = new URL('../../fixtures/tls/', import.meta.url);
const plain = security({ fleet: 'test', secrets: [SECRET], trustNetwork: true });

describe('the fleet thread', () => {
  test('accepts links of peers that know the secret, and ends with its instance', async () => {
    const { serve, fleet } = await fleetInstance();
    const { port } = await fleet.address;
    {
      using link = await dialling(port, { security: plain });
      expect(link.session).toMatchObject({ instance: serve.status().instance, epoch: 1 });
      const other = security({
        fleet: 'test',
        secrets: ['another secret of 32 bytes, at least'],
        trustNetwork: true,
      });
      await expect(dialling(port, { security: other })).rejects.toMatchObject({ code: 'SERVE_UNAUTHORIZED' });
      await serve.close();
      await link.inbox.ended;
    }
    await expect(dialling(port, { security: plain })).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
  });

  test('starts again at the same port when it dies, and its instance goes on meanwhile', async () => {
    await using instance = await fleetInstance();
    const { serve, fleet } = instance;
    const { port } = await fleet.address;
    const handle = await serve.run(basic.bind());
    const fault = event(serve, 'fault', ({ reason }) => reason.startsWith('the fleet thread ended'));
    fleet.destroyThread();
    expect(await handle.echo.remote(1)).toBe(1);
    await fault;
    await eventually(async () => {
      const link = await dialling(port, { security: plain }).catch(() => undefined);
      link?.[Symbol.dispose]();
      return link?.session.epoch === 2;
    });
  });

  test('takes no calls with it that the host has sent to peers over its own links', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'inserve-links-'));
    await using resources = new AsyncDisposableStack();
    resources.defer(() => rmSync(folder, { recursive: true }));
    const serving = resources.use(await fleetInstance());
    await serving.serve.run(probe.bind(), { name: 'probe' });
    const { serve, fleet } = resources.use(await fleetInstance({ peers: [await serving.fleet.address] }));
    const handle = serve.handle<Probe>('probe').options({ timeoutMs: 0 });
    await eventually(() => handle.where.remote().then(Boolean, () => false));
    const [log, gate] = [join(folder, 'log'), join(folder, 'gate')];
    writeFileSync(log, '');
    const [ends, stays] = [handle.stay.remote('ends', log, gate), handle.forever.remote(log)];
    await eventually(() => readFileSync(log, 'utf8') !== '');
    for (let death = 0; death < 2; death++) {
      const died = event(serve, 'fault', ({ reason }) => reason.startsWith('the fleet thread ended'));
      const linked = event(serve, 'peer', ({ state }) => state === 'LINKED');
      fleet.destroyThread();
      await died;
      await linked;
    }
    // Further calls take new links.
    await handle.where.remote();
    writeFileSync(gate, '');
    expect(await ends).toBe(process.pid);
    expect(stays.explain().state).toBe('running');
    await serve.close({ timeoutMs: 0 });
    await expect(stays).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    // The replica has been told that nobody waits any more.
    await eventually(() => readFileSync(log, 'utf8').includes('cancelled'));
  });

  test('is started again until it can be, while its certificates cannot be read', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'inserve-tls-'));
    await using resources = new AsyncDisposableStack();
    resources.defer(() => rmSync(folder, { recursive: true }));
    const [cert, key, ca] = ['fleet.pem', 'fleet.key', 'fleet-ca.pem'].map((name) => {
      const path = join(folder, name);
      copyFileSync(new URL(name, TLS), path);
      return path;
    }) as [string, string, string];
    const { serve, fleet, log } = resources.use(
      await fleetInstance({ trustNetwork: false, tls: { cert, key, ca } }),
    );
    const { port } = await fleet.address;
    const handle = await serve.run(basic.bind());
    const what = 'the fleet thread could not be started';
    const fault = event(serve, 'fault', ({ reason }) => reason.startsWith(what));
    rmSync(key);
    fleet.destroyThread();
    expect(await fault).toMatchObject({ error: { code: 'SERVE_INVALID_OPTION' } });
    copyFileSync(new URL('fleet.key', TLS), key);
    expect(log.records.filter(({ message }) => message.startsWith(what))).toHaveLength(1);
    expect(await handle.echo.remote(1)).toBe(1);
    const own = security({ fleet: 'test', tls: certificates('fleet') });
    await eventually(async () => {
      const link = await dialling(port, { security: own }).catch(() => undefined);
      link?.[Symbol.dispose]();
      return link?.session.epoch === 3;
    });
  });

  test('counts what a peer does wrong that it dials, and keeps the count when it starts again', async () => {
    await using resources = new AsyncDisposableStack();
    const [http, upgrade] = [createServer(), await createUpgrade()];
    http.on('upgrade', (req, socket, head) =>
      upgrade(req, socket, head, (link) =>
        link.listen({ message: () => link.send([Buffer.from([0, 0, 0, 1, 0xc1])]), closed() {} }),
      ),
    );
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    resources.defer(() => void http.close());
    const peers = [{ host: '127.0.0.1', port: (http.address() as AddressInfo).port }];
    const { fleet } = resources.use(await fleetInstance({ peers }));
    const malformed = (): number => fleet.counts.faults_malformed ?? 0;
    await eventually(() => malformed() > 0);
    const before = malformed();
    fleet.destroyThread();
    await eventually(() => malformed() > before);
    expect(Object.keys(fleet.counts)).toEqual(['faults_malformed']);
  });

  test('that cannot listen says so, and the instance serves alone', async () => {
    await using first = await fleetInstance();
    const { port } = await first.fleet.address;
    await using second = await fleetInstance({ listen: { host: '127.0.0.1', port } });
    const fault = await event(second.serve, 'fault', ({ reason }) => reason === 'the fleet thread failed');
    expect(fault.error).toMatchObject({ code: 'EADDRINUSE' });
    const handle = await second.serve.run(basic.bind());
    expect(await handle.echo.remote(2)).toBe(2);
  });

  test('security row 13: nothing listens in an instance without a fleet, and only loopback in one without an address', async () => {
    await using alone = quietServe();
    await alone.run(basic.bind());
    expect(alone.fleet).toBe(undefined);
    const { listen } = fleetOptions('redis://127.0.0.1:6379', { secret: SECRET }, {});
    expect(listen).toEqual({ host: '127.0.0.1', port: 0 });
  });
});
