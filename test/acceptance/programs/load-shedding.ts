import { deployment } from '../../../src/index.ts';
import { Shared } from '../../support/shared.ts';

export const WORK = { started: 0, gate: 1, running: 2, peak: 3 };

/** Simulates a model that takes two requests at a time, and is allowed to have two more waiting. */
export class SlowModel {
  readonly #shared: Shared;

  constructor(shared: SharedArrayBuffer) {
    this.#shared = new Shared(shared);
  }

  async call(): Promise<string> {
    const shared = this.#shared;
    shared.add(WORK.started);
    shared.max(WORK.peak, shared.add(WORK.running));
    await shared.atLeast(WORK.gate, 1);
    shared.add(WORK.running, -1);
    return 'done';
  }
}

export const slowModel = deployment(SlowModel, {
  name: 'SlowDeployment',
  maxOngoingRequests: 2,
  maxQueuedRequests: 2,
});
