import type { Probe } from '../../fixtures/calls/fleet.ts';
import { eventually } from '../until.ts';
import type { FleetInstance } from './instances.ts';

/** Waits until the instance calls this many peers. */
export async function linked({ fleet, serve }: FleetInstance, peers: number): Promise<void> {
  await eventually(() => fleet.peers.length === peers);
  // The table of deployments follows.
  await eventually(() =>
    serve
      .handle<Probe>('probe')
      .where.remote()
      .then(
        () => true,
        () => false,
      ),
  );
}
