import { setTimeout as sleep } from 'node:timers/promises';
import {
  context,
  type DeploymentHandle,
  deployment,
  getMultiplexedModelId,
  multiplexed,
} from '../../../src/index.ts';
import { Shared } from '../../support/shared.ts';

/** Cheaper ones would not be worth to wait for a place at a replica that holds the model. */
const LOAD_MS = 50;

export const HUB = { loads: 0, disposed: 1, gate: 2, running: 3 };

class Model {
  readonly #id: string;
  readonly #shared: Shared;

  constructor(id: string, shared: Shared) {
    this.#id = id;
    this.#shared = shared;
  }

  predict(text: string): string {
    return `${this.#id}: ${text}`;
  }

  [Symbol.dispose](): void {
    this.#shared.add(HUB.disposed);
  }
}

/** Many models behind one deployment. */
export class Hub {
  readonly #shared: Shared;

  constructor(shared: SharedArrayBuffer) {
    this.#shared = new Shared(shared);
  }

  readonly #model = multiplexed({ maxModelsPerReplica: 2 }, async (id: string) => {
    this.#shared.add(HUB.loads);
    await sleep(LOAD_MS);
    return new Model(id, this.#shared);
  });

  async call(request: Request): Promise<string> {
    const { answer } = await this.predict(await request.text());
    return answer;
  }

  async predict(text: string): Promise<{ answer: string; replica: string; asked: string }> {
    const model = await this.#model();
    return { answer: model.predict(text), replica: context().replicaId, asked: getMultiplexedModelId() };
  }

  /** Keeps its place until the gate opens. */
  async hold(): Promise<string> {
    await this.#model();
    this.#shared.add(HUB.running);
    await this.#shared.atLeast(HUB.gate, 1);
    return context().replicaId;
  }
}

export const hub = deployment(Hub, { numReplicas: 2, maxOngoingRequests: 2 });

/** Chained with composition: the caller of the hub chooses the model. */
export class Translator {
  readonly #hub: DeploymentHandle<typeof Hub>;

  constructor(models: DeploymentHandle<typeof Hub>) {
    this.#hub = models;
  }

  async translate(language: string, text: string): Promise<string> {
    const { answer } = await this.#hub.options({ multiplexedModelId: language }).predict.remote(text);
    return answer;
  }
}

export const translator = deployment(Translator);
