import { postMessageToThread } from 'node:worker_threads';
import { type DeploymentHandle, deployment } from 'inserve';
import { Relay } from './relay.ts';
import type { Item } from './session.ts';

/** Raised so that what is in flight is carried, not queued; everything else as users get it. */
const limits = { maxOngoingRequests: 1024, maxQueuedRequests: -1, module: import.meta.url };

/** The least that a node can do. */
export class Stage {
  async pass(item: Item): Promise<Item> {
    return item;
  }

  /** Answers with new memory of the size. */
  async grow(bytes: number): Promise<Float32Array> {
    return new Float32Array(bytes / 4).fill(1);
  }

  async scale(frame: Float32Array): Promise<Float32Array> {
    frame[0] = 2;
    return frame;
  }

  async size(frame: Float32Array): Promise<number> {
    return frame.length;
  }
}
export const stage = deployment(Stage, { name: 'Stage', ...limits });

/** A replica that calls another by its handle. */
export class Direct {
  readonly #stage: DeploymentHandle<typeof Stage>;

  constructor(stage: DeploymentHandle<typeof Stage>) {
    this.#stage = stage;
  }

  async pass(item: Item): Promise<Item> {
    return await this.#stage.pass.remote(item);
  }
}
export const direct = deployment(Direct, { name: 'Direct', ...limits });

/** A replica whose calls go through the host's thread. */
export class Relayed {
  readonly #relay: Promise<Relay>;

  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.#relay = postMessageToThread(0, { relay: port2 }, [port2]).then(() => new Relay(port1));
  }

  async pass(item: Item): Promise<Item> {
    return (await (await this.#relay).call(item)) as Item;
  }
}
export const relayed = deployment(Relayed, { name: 'Relayed', ...limits });
