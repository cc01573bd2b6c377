import { inVirtualTime } from '../../../../sim/engine/virtual-time.ts';
import type { DataInstance } from './data-instance.ts';
import { DataPlane } from './data-plane.ts';

/** Time that a message takes at most, in ms. */
const SLOWEST_MS = 1;
/** Time between two calls, in ms: windows and answers have arrived. */
const PAUSE_MS = 60;
/** Time that each call takes, in ms: none ends before the last one has come. */
const LONG_MS = 100_000;

/** Instances, and calls that find a place or wait. */
export class Landing {
  readonly plane: DataPlane;

  constructor(plane: DataPlane) {
    this.plane = plane;
  }

  /** Makes calls, one after the other, of which none ends before the others have come. */
  async calls(at: DataInstance, count: number, ms = LONG_MS): Promise<void> {
    for (let call = 0; call < count; call++) {
      this.plane.call(at, ms, undefined, undefined, 0);
      await this.pass(PAUSE_MS);
    }
  }

  /** Makes calls at once, by the deployment's name and by that of its app. */
  callAtOnce(at: DataInstance, name: 'deployment' | 'app', count: number, ms: number): void {
    const route = name === 'app' ? at.ingress : at.route;
    for (let call = 0; call < count; call++)
      this.plane.call(at, ms, undefined, undefined, 0, undefined, route);
  }

  async pass(ms: number): Promise<void> {
    const { time } = this.plane;
    await time.advanceTo(time.now() + ms);
  }

  /** Numbers of the calls that have not begun. */
  get waiting(): number[] {
    return this.plane.calls.filter(({ runs }) => runs === 0).map(({ id }) => id);
  }

  instance(index: number): DataInstance {
    return this.plane.instances[index] as DataInstance;
  }
}

/** Runs a scenario with instances. @param replicas places of the replicas of each instance */
export function land(
  seed: number,
  replicas: readonly (readonly number[])[],
  scenario: (landing: Landing) => Promise<void>,
): Promise<void> {
  return inVirtualTime(seed, async (time) => {
    const plane = new DataPlane(time, { replicas, idempotent: false, delayMs: [0.05, SLOWEST_MS] });
    await time.advanceTo(100);
    await scenario(new Landing(plane));
    await plane.close();
  });
}
