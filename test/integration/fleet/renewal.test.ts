import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { FleetOptions } from '../../../src/cluster/fleet-options.ts';
import type { LinkCertificates } from '../../../src/wire/security.ts';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { eventually } from '../../support/until.ts';
import { certificates, dialling, security } from '../../support/wire/links.ts';

/** Time limit where threads start, on a busy machine. */
const START_MS = 180_000;
const [OLD, NEW] = ['the old secret of a fleet, for tests', 'the new secret of a fleet, for tests'] as const;
const TLS = new URL('../../fixtures/tls/', import.meta.url);

async function host(fleet: Partial<FleetOptions>): Promise<FleetInstance> {
  const instance = await fleetInstance(fleet);
  await instance.serve.run(probe.bind(), { name: 'probe' });
  return instance;
}

/** Calls without a pause until it is stopped, and counts. */
function load({ serve }: FleetInstance): { readonly failures: unknown[]; stop(): Promise<number> } {
  const handle = serve.handle<Probe>('probe');
  const failures: unknown[] = [];
  let served = 0;
  let isOver = false;
  const caller = async (): Promise<void> => {
    while (!isOver)
      await handle.hold.remote(2).then(
        () => served++,
        (error: unknown) => failures.push(error),
      );
  };
  const callers = [1, 2, 3, 4].map(caller);
  return {
    failures,
    async stop() {
      isOver = true;
      await Promise.all(callers);
      return served;
    },
  };
}

async function reaches(caller: FleetInstance, peers: number): Promise<void> {
  await eventually(() => caller.fleet.peers.length === peers, START_MS);
  const answers = (): Promise<boolean> =>
    caller.serve
      .handle<Probe>('probe')
      .where.remote()
      .then(Boolean, () => false);
  await eventually(answers, START_MS);
}

test(
  'secrets rotate by rolling the instances, without a lost call',
  async () => {
    await using resources = new AsyncDisposableStack();
    const steps = [[OLD], [OLD, NEW], [NEW, OLD], [NEW]];
    let hosts = [await host({ trustNetwork: false, secrets: steps[0] as string[] })];
    resources.defer(async () => {
      for (const { serve } of hosts) await serve.close();
    });
    for (const [at, secrets] of steps.entries()) {
      const before = hosts[0] as FleetInstance;
      // A caller of this step, which reaches the hosts of the step before and those of its own.
      const peers = [await before.fleet.address];
      const caller = resources.use(await fleetInstance({ trustNetwork: false, secrets, peers }));
      await reaches(caller, 1);
      const running = load(caller);
      if (at + 1 < steps.length) {
        const next = await host({ trustNetwork: false, secrets: steps[at + 1] as string[] });
        hosts = [next, before];
        caller.fleet.connect([...peers, await next.fleet.address]);
        await reaches(caller, 2);
        await before.serve.close();
        hosts = [next];
      }
      await reaches(caller, 1);
      expect(await running.stop()).toBeGreaterThan(0);
      expect(running.failures).toEqual([]);
    }
    const [last] = hosts as [FleetInstance];
    const { port } = await last.fleet.address;
    await expect(
      dialling(port, { security: security({ fleet: 'test', secrets: [OLD] }) }),
    ).rejects.toMatchObject({ name: 'ServeError' });
  },
  2 * START_MS,
);

test(
  'certificates in files are replaced, the authority as well, without a lost call',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'inserve-tls-'));
    await using resources = new AsyncDisposableStack();
    resources.defer(() => rmSync(folder, { recursive: true }));
    const path = (name: string): string => join(folder, name);
    const put = (of: 'fleet' | 'other', ...trusted: string[]): void => {
      const authorities = trusted.map((name) => readFileSync(new URL(`${name}-ca.pem`, TLS), 'utf8'));
      writeFileSync(path('ca.crt'), authorities.join('\n'));
      copyFileSync(new URL(`${of}.pem`, TLS), path('tls.crt'));
      copyFileSync(new URL(`${of}.key`, TLS), path('tls.key'));
    };
    put('fleet', 'fleet');
    const tls: LinkCertificates = { cert: path('tls.crt'), key: path('tls.key'), ca: path('ca.crt') };
    const options = { trustNetwork: false, secrets: [OLD], tls };
    const serving = resources.use(await host(options));
    const { host: address, port } = await serving.fleet.address;
    const caller = resources.use(await fleetInstance({ ...options, peers: [{ host: address, port }] }));
    await reaches(caller, 1);
    const running = load(caller);

    /** Whether an instance whose certificates are these gets a link. */
    const isAccepted = async (of: 'fleet' | 'other', trusts: 'fleet' | 'other' = of): Promise<boolean> => {
      const own = security({ fleet: 'test', secrets: [OLD], tls: certificates(of, trusts) });
      const link = await dialling(port, { security: own }).catch(() => undefined);
      link?.[Symbol.dispose]();
      return link !== undefined;
    };
    expect(await isAccepted('fleet')).toBe(true);
    put('fleet', 'fleet', 'other');
    await eventually(() => isAccepted('other', 'fleet'), START_MS);
    put('other', 'fleet', 'other');
    await eventually(() => isAccepted('other'), START_MS);
    put('other', 'other');
    await eventually(async () => !(await isAccepted('fleet', 'other')), START_MS);

    // The caller dials with the new ones as well, from both of its threads: the host's link is a new one.
    const again = resources.use(await fleetInstance({ ...options, peers: [{ host: address, port }] }));
    await reaches(again, 1);
    expect(await running.stop()).toBeGreaterThan(0);
    expect(running.failures).toEqual([]);
    serving.fleet.destroyThread();
    await eventually(() => caller.fleet.peers.length === 0, START_MS);
    await reaches(caller, 1);
  },
  2 * START_MS,
);
