import type { InlineDescriptor } from '../handle/directory.ts';
import { createInlineChannel, type InlineChannel } from '../replica/inline-channel.ts';

/** The inline replicas of the host's thread: made once, whoever asks first. */
export class InlineReplicas {
  readonly #channels = new Map<string, Promise<InlineChannel>>();

  make(inline: InlineDescriptor): Promise<InlineChannel> {
    const known = this.#channels.get(inline.replicaId);
    if (known !== undefined) return known;
    const made = createInlineChannel(inline);
    this.#channels.set(inline.replicaId, made);
    return made;
  }

  forget(replicaId: string): void {
    this.#channels.delete(replicaId);
  }
}
