import { createServe, type DeploymentHandle, type DeploymentOptions, type Serve } from 'inserve';
import { type Sleeper, SleeperDeployment } from './deployments.ts';

export const CALL_MS = 20;

export interface Running extends AsyncDisposable {
  readonly serve: Serve;
  readonly handle: DeploymentHandle<typeof Sleeper>;
  /** Keeps so many calls open until the bench is over. */
  load(inFlight: number): void;
}

/** Runs a deployment that sleeps, for the cells about scaling. */
export async function running(options: DeploymentOptions): Promise<Running> {
  const serve = createServe();
  const handle = await serve.run(SleeperDeployment.options(options).bind());
  const loops: Promise<void>[] = [];
  let isOver = false;
  const loop = async (): Promise<void> => {
    while (!isOver) await handle.remote(CALL_MS);
  };
  return {
    serve,
    handle,
    load: (inFlight) => {
      for (let slot = 0; slot < inFlight; slot++) loops.push(loop());
    },
    async [Symbol.asyncDispose]() {
      isOver = true;
      await Promise.all(loops);
      await serve.close();
    },
  };
}

/** Resolves with the time at which so many replicas run. */
export function whenRunning(serve: Serve, replicas: number): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  let count = 0;
  const off = serve.on('replica', ({ state }) => {
    if (state === 'RUNNING') count++;
    if (count < replicas) return;
    off();
    resolve(performance.now());
  });
  return promise;
}
