import type { ToFleet } from '../fleet-control.ts';

/** Messages of the host about the membership. */
export type ToMember = Extract<
  ToFleet,
  { type: 'declare' | 'report' | 'demand' | 'command' | 'advice' | 'leave' }
>;

/** Messages that wait until the instance has joined. Only the last of each kind counts, and of demands that for each deployment. */
export class WaitingMessages {
  readonly #byKind = new Map<string, ToMember>();

  add(message: ToMember): void {
    this.#byKind.set(message.type === 'demand' ? `demand ${message.key}` : message.type, message);
  }

  /** The messages, which wait no longer. */
  take(): ToMember[] {
    const messages = [...this.#byKind.values()];
    this.#byKind.clear();
    return messages;
  }
}
