/** One app instance of a real fleet, with the default times of the protocol. `argv`: the URL of Redis. */
import { createServe, type DeploymentHandle } from 'inserve';
import { answer } from '../harness/answer.ts';
import { type Sleeper, SleeperDeployment } from './deployments.ts';
import { FLEET_APPS, type FleetAppName } from './fleet-apps.ts';
import { CALL_MS } from './scaling.ts';

export type InstanceRequest =
  | { readonly type: 'state' }
  /** Keeps so many calls open to an app from now on. */
  | { readonly type: 'load'; readonly app: FleetAppName; readonly inFlight: number }
  | { readonly type: 'scale'; readonly replicas: number };

export interface InstanceState {
  readonly id: string;
  /** The instance that leads, as this one sees it. */
  readonly leader: string | undefined;
  /** Replicas that run here, by app. */
  readonly running: Readonly<Record<FleetAppName, number>>;
  /** Calls of this instance that have ended. */
  readonly ok: number;
  readonly errors: readonly string[];
}

const [url = ''] = process.argv.slice(2);

const serve = createServe({
  redis: url,
  version: '1',
  fleet: { secret: 'a secret of the fleet of the bench!' },
  // It would end a process that is frozen on purpose.
  hostGuard: { enabled: false },
  logger: { debug() {}, info() {}, warn() {}, error() {} },
});
const handles = {
  fixed: await run('fixed'),
  scaled: await run('scaled'),
} satisfies Record<FleetAppName, DeploymentHandle<typeof Sleeper>>;
const inFlight: Record<FleetAppName, number> = { fixed: 0, scaled: 0 };
let ok = 0;
const errors: string[] = [];

answer<InstanceRequest, InstanceState>(
  async (request) => {
    if (request.type === 'load') load(request.app, request.inFlight);
    if (request.type === 'scale') await serve.scale('fixed', 'Sleeper', request.replicas);
    const { instance, leader } = serve.status();
    return {
      id: instance,
      leader,
      running: { fixed: running('fixed'), scaled: running('scaled') },
      ok,
      errors,
    };
  },
  () => serve.close(),
);

function run(name: FleetAppName): Promise<DeploymentHandle<typeof Sleeper>> {
  const app = SleeperDeployment.options(FLEET_APPS[name]).bind();
  return serve.run(app, { name, routePrefix: null });
}

function running(app: FleetAppName): number {
  return serve.status().apps[app]?.deployments['Sleeper']?.replicaStates['RUNNING'] ?? 0;
}

function load(app: FleetAppName, callers: number): void {
  const before = inFlight[app];
  inFlight[app] = callers;
  for (let caller = before; caller < callers; caller++) void repeat(app, caller);
}

async function repeat(app: FleetAppName, caller: number): Promise<void> {
  while (caller < inFlight[app]) {
    try {
      await handles[app].remote(CALL_MS);
      ok++;
    } catch (error) {
      errors.push(String(error));
    }
  }
}
