import type { Serve, ServeConfig } from '../../../src/index.ts';
import type { Release } from '../../fixtures/updates/releases.ts';
import type { FleetInstance } from './instances.ts';
import type { RedisFleet } from './redis-fleet.ts';

/** Replicas of a deployment that run in an instance. */
export function running({ serve }: FleetInstance, app: string, deployment: string): number {
  return serve.status().apps[app]?.deployments[deployment]?.replicaStates['RUNNING'] ?? 0;
}

export function total(all: readonly FleetInstance[], app: string, deployment: string): number {
  return all.reduce((sum, instance) => sum + running(instance, app, deployment), 0);
}

/** Two instances that run the same. */
export async function pair(
  fleet: RedisFleet,
  run: (serve: Serve) => Promise<unknown>,
): Promise<[FleetInstance, FleetInstance]> {
  const version = '1';
  const all = await Promise.all([fleet.add({ version }), fleet.add({ version })]);
  await Promise.all(all.map(({ serve }) => run(serve)));
  return all;
}

/** The releases that answer calls which enter at an instance. */
export async function labels({ serve }: FleetInstance, calls: number): Promise<Set<string>> {
  const handle = serve.handle<typeof Release>('app');
  const answers = await Promise.all(Array.from({ length: calls }, () => handle.remote()));
  return new Set(answers.map(({ label }) => label));
}

/** A config of the app `clock`. */
export function clockConfig(options: NonNullable<ServeConfig['apps'][0]['deployments']>[0]): ServeConfig {
  const file = './test/fixtures/updates/configured.ts:utc';
  return { apps: [{ name: 'clock', routePrefix: '/clock', import: file, deployments: [options] }] };
}
