import { inject } from 'vitest';
import type { FleetHost } from '../../../src/cluster/fleet-host.ts';
import type { FleetOptions } from '../../../src/cluster/fleet-options.ts';
import type { ServeOptions } from '../../../src/index.ts';
import { createFleetServe, type Serve } from '../../../src/serve.ts';
import { Records } from '../quiet.ts';

export const FLEET: FleetOptions = {
  name: 'test',
  secrets: ['a secret of the fleet, for tests!'],
  trustNetwork: true,
  listen: { host: '127.0.0.1', port: 0 },
};

/** An instance of a fleet in this process. */
export interface FleetInstance extends AsyncDisposable {
  readonly serve: Serve;
  readonly fleet: FleetHost;
  readonly log: Records;
}

export async function fleetInstance(
  fleetOptions: Partial<FleetOptions> = {},
  options: ServeOptions = {},
): Promise<FleetInstance> {
  const log = new Records();
  const workerEntry = inject('threadEntry');
  const all = { logger: log, hostGuard: { enabled: false }, workerEntry, ...options };
  const { serve, fleet } = await createFleetServe(all, { ...FLEET, ...fleetOptions }, inject('fleetEntry'));
  return { serve, fleet, log, [Symbol.asyncDispose]: () => serve.close() };
}
