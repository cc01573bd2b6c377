import { setTimeout as sleep } from 'node:timers/promises';
import { createServe, type DeploymentHandle, type Serve, type ServeOptions } from 'inserve';
import type { FleetOptions } from '../../src/cluster/fleet-options.ts';
import { allRunning } from '../harness/all-running.ts';
import { type Echo, EchoDeployment } from './deployments.ts';
import type { Contender, Session } from './session.ts';

/** The app that the called instances have. */
export const APP = 'echo';
/** Time until the caller must know the deployments of its peer, in ms. */
const LINK_MS = 10_000;

/** Two instances of a fleet, one with a replica, over a plain link: what the others have as well. */
export const inserve: Contender = fleetOf({ trustNetwork: true });

/** The same over a link as it comes: TLS with a key that is made from the secret. */
export const inserveTls: Contender = fleetOf({ trustNetwork: false });

/** A replica of the calling process. */
export const inserveLocal: Contender = {
  serve: async () => ({ port: 0, close: async () => {} }),
  async connect() {
    const serve = createServe();
    const handle = await serve.run(EchoDeployment.bind());
    await allRunning(serve);
    return sessionOf(handle as DeploymentHandle<Echo>, () => serve.close());
  },
};

function fleetOf(options: { readonly trustNetwork: boolean }): Contender {
  return {
    async serve() {
      const { serve, fleet } = await instance(options);
      await serve.run(EchoDeployment.bind(), { name: APP });
      await allRunning(serve);
      const { port } = await fleet.address;
      return { port, close: () => serve.close() };
    },
    async connect(port) {
      const { serve } = await instance({ ...options, peers: [{ host: '127.0.0.1', port }] });
      const handle = await linked(() => serve.handle<Echo>(APP));
      return sessionOf(handle, () => serve.close());
    },
  };
}

export interface FleetInstance {
  readonly serve: Serve;
  readonly fleet: {
    readonly address: Promise<{ readonly port: number }>;
    /** The instances to which links are open. */
    readonly peers: readonly string[];
    connect(peers: readonly { readonly host: string; readonly port: number }[]): void;
  };
}

/** What applications cannot import yet. */
interface Internals {
  createFleetServe(options: ServeOptions, fleet: FleetOptions): Promise<FleetInstance>;
}

/** An instance of a fleet whose members are known by their addresses. */
export async function instance(options: Partial<FleetOptions>): Promise<FleetInstance> {
  const { createFleetServe }: Internals = await import(new URL('../../dist/serve.js', import.meta.url).href);
  return createFleetServe(
    {},
    {
      name: 'bench',
      secrets: ['a secret that the instances share'],
      listen: { host: '127.0.0.1', port: 0 },
      ...options,
    },
  );
}

/** Waits until the instance knows a deployment of its peer. */
async function linked(handleOf: () => DeploymentHandle<Echo>): Promise<DeploymentHandle<Echo>> {
  for (const end = performance.now() + LINK_MS; ; await sleep(10)) {
    try {
      const handle = handleOf();
      await handle.echo.remote({ x: 0 });
      return handle;
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}

function sessionOf(handle: DeploymentHandle<Echo>, close: () => Promise<void>): Session {
  return {
    echo: (payload) => handle.echo.remote(payload),
    measure: (bytes) => handle.measure.remote(bytes),
    stream: async () => handle.stream.remote(),
    close,
  };
}
