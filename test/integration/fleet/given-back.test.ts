import { expect, test } from 'vitest';
import { type Probe, probe } from '../../fixtures/calls/fleet.ts';
import { fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { eventually } from '../../support/until.ts';

const one = probe.options({ numReplicas: 1, maxOngoingRequests: 1 }).bind();

test.each([
  ['a call', undefined],
  ['a call with an idempotency key', 'key'],
])(
  '%s that waits at an instance goes elsewhere when the last replica there has gone',
  async (_, idempotencyKey) => {
    await using host = await fleetInstance();
    await using other = await fleetInstance();
    await host.serve.run(one, { name: 'probe' });
    const peers = await Promise.all([host, other].map(({ fleet }) => fleet.address));
    await using caller = await fleetInstance({ peers });
    await linked(caller, 2);
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
