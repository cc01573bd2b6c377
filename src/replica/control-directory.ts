import type { Directory, RouteKey } from '../handle/routing/directory.ts';
import type { LostCall } from '../handle/routing/lost-calls.ts';
import type { AgentControl } from './control.ts';

/** The host's registry as a replica addresses it: by messages over its control port. */
export class ControlDirectory implements Directory {
  readonly #control: AgentControl;

  constructor(control: AgentControl) {
    this.#control = control;
  }

  subscribe(key: RouteKey): void {
    this.#control.post({ type: 'subscribe', key });
  }

  replaced(replicaId: string): void {
    this.#control.post({ type: 'replaced', replicaId });
  }

  lost(replicaId: string, calls: readonly LostCall[]): void {
    this.#control.post({ type: 'lost', replicaId, calls });
  }
}
