import { type DeploymentHandle, deployment } from '../../../src/index.ts';
import { Shared } from '../../support/shared.ts';

/** Cells of the shared memory: the gate that the work waits for, and how much of it runs. */
export const WORK = { gate: 0, heavy: 1, light: 2 };

/** Does what takes long, or what does not: the test says when it is done. */
class Load {
  readonly #shared: Shared;
  readonly #cell: number;

  constructor(buffer: SharedArrayBuffer, cell: number) {
    this.#shared = new Shared(buffer);
    this.#cell = cell;
  }

  async call(): Promise<string> {
    this.#shared.add(this.#cell);
    await this.#shared.atLeast(WORK.gate, 1);
    return 'done';
  }
}

/** Ray's example asks them both; how many replicas each has follows from what it has to do. */
class Driver {
  readonly #heavy: DeploymentHandle<typeof Load>;
  readonly #light: DeploymentHandle<typeof Load>;

  constructor(heavy: DeploymentHandle<typeof Load>, light: DeploymentHandle<typeof Load>) {
    this.#heavy = heavy;
    this.#light = light;
  }

  async call(request: Request): Promise<string> {
    const isLight = new URL(request.url).searchParams.has('light');
    return await (isLight ? this.#light : this.#heavy).remote();
  }
}

const autoscaling = {
  minReplicas: 1,
  maxReplicas: 4,
  targetOngoingRequests: 2,
  upscaleDelayMs: 100,
  downscaleDelayMs: 100,
  lookBackPeriodMs: 200,
  metricsIntervalMs: 50,
};

const HeavyLoad = deployment(Load, { name: 'HeavyLoad', autoscaling, module: import.meta.url });
const LightLoad = deployment(Load, { name: 'LightLoad', autoscaling, module: import.meta.url });
const driver = deployment(Driver, { maxOngoingRequests: 64, module: import.meta.url });

export const app = (shared: SharedArrayBuffer) =>
  driver.bind(HeavyLoad.bind(shared, WORK.heavy), LightLoad.bind(shared, WORK.light));
