import type { Directory, RouteKey } from './directory.ts';
import type { CallerPort, EndpointRegistry } from './endpoint-registry.ts';
import type { LostCall } from './lost-calls.ts';

/** The registry as one caller thread addresses it. */
export class RegistryDirectory implements Directory {
  readonly #registry: EndpointRegistry;
  readonly #caller: CallerPort;

  constructor(registry: EndpointRegistry, caller: CallerPort) {
    this.#registry = registry;
    this.#caller = caller;
  }

  subscribe(key: RouteKey): void {
    this.#registry.subscribe(this.#caller, key);
  }

  replaced(replicaId: string): void {
    this.#registry.replaced(this.#caller, replicaId);
  }

  lost(replicaId: string, calls: readonly LostCall[]): void {
    this.#registry.lost(this.#caller, replicaId, calls);
  }
}
