import type { InlineLink } from '../../handle/routing/link.ts';
import { copyPacked } from '../../values/pack.ts';
import { createInlineChannel, type InlineChannel } from './inline-channel.ts';

/** The inline replicas of the host's thread: each is made once, by the first request for it. */
export class InlineReplicas {
  readonly #instance: string;
  readonly #channels = new Map<string, Promise<InlineChannel>>();

  /** @param instance id of the instance */
  constructor(instance: string) {
    this.#instance = instance;
  }

  make(inline: InlineLink): Promise<InlineChannel> {
    const known = this.#channels.get(inline.replicaId);
    if (known !== undefined) return known;
    // The original stays unchanged: other threads make their replicas of it.
    const made = createInlineChannel({ ...inline, args: copyPacked(inline.args) }, this.#instance);
    this.#channels.set(inline.replicaId, made);
    return made;
  }

  has(replicaId: string): boolean {
    return this.#channels.has(replicaId);
  }

  forget(replicaId: string): void {
    this.#channels.delete(replicaId);
  }
}
