import { devNull } from 'node:os';
import { expect, test } from 'vitest';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { type FleetInstance, fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { eventually } from '../../support/until.ts';

const one = probe.options({ numReplicas: 1, maxOngoingRequests: 1 }).bind();

/** An instance with the deployment, one that may run it later, and one that calls both. */
interface Trio {
  readonly host: FleetInstance;
  readonly other: FleetInstance;
  readonly caller: FleetInstance;
}

async function trio(resources: AsyncDisposableStack): Promise<Trio> {
  const host = resources.use(await fleetInstance());
  const other = resources.use(await fleetInstance());
  await host.serve.run(one, { name: 'probe' });
  const peers = await Promise.all([host, other].map(({ fleet }) => fleet.address));
  const caller = resources.use(await fleetInstance({ peers }));
  await linked(caller, 2);
  return { host, other, caller };
}

test.each([
  ['a call', undefined],
  ['a call with an idempotency key', 'key'],
])(
  '%s that waits at an instance goes elsewhere when the last replica there has gone',
  async (_, idempotencyKey) => {
    await using resources = new AsyncDisposableStack();
    const { host, other, caller } = await trio(resources);
    const handle = caller.serve.handle<Probe>('probe');
    const running = handle.dwell.remote(1_000);
    // One call may wait at the instance, and this one does.
    const waiting = handle.options({ idempotencyKey }).replica.remote();
    await eventually(() => host.serve.status().apps['probe']?.deployments['Probe']?.queued === 1);
    await host.serve.deploy({ apps: [], targetCapacity: 0 });
    expect(await running).toBe('probe');
    await eventually(() => host.serve.status().apps['probe']?.deployments['Probe']?.replicas.length === 0);
    await other.serve.run(one, { name: 'probe' });
    const [replica] = other.serve.status().apps['probe']?.deployments['Probe']?.replicas ?? [];
    expect(await waiting).toBe(replica?.id);
  },
);

test('a call that waits behind a long one at an instance goes to another one that has a place', async () => {
  await using resources = new AsyncDisposableStack();
  const { host, other, caller } = await trio(resources);
  const handle = caller.serve.handle<Probe>('probe').options({ timeoutMs: 0 });
  const long = new AbortController();
  const running = handle.options({ signal: long.signal }).forever.remote(devNull);
  const waiting = [1, 2, 3].map(() => handle.replica.remote());
  await eventually(() => host.serve.status().apps['probe']?.deployments['Probe']?.queued === 1);
  await other.serve.run(one, { name: 'probe' });
  const [replica] = other.serve.status().apps['probe']?.deployments['Probe']?.replicas ?? [];
  expect(await Promise.all(waiting)).toEqual(waiting.map(() => replica?.id));
  long.abort();
  await expect(running).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
  // Both instances serve again.
  const replicas = new Set<string>();
  await eventually(async () => {
    for (const id of await Promise.all([1, 2, 3, 4].map(() => handle.replica.remote()))) replicas.add(id);
    return replicas.size === 2;
  });
});
