import type { MessagePort } from 'node:worker_threads';
import type { Directory, RouteKey } from '../handle/routing/directory.ts';
import type { CallerPort, EndpointRegistry, Reachable } from '../handle/routing/endpoint-registry.ts';
import { LostCalls } from '../handle/routing/lost-calls.ts';
import { RegistryDirectory } from '../handle/routing/registry-directory.ts';
import type { ToReplica } from '../replica/control.ts';
import { packEvent } from '../replica/packed-event.ts';
import type { ReplicaPlace } from './replica-host.ts';

/** A replica's entries in the registry: as a caller from its start, as an endpoint once it is ready. */
export class Membership {
  readonly #registry: EndpointRegistry;
  readonly #key: RouteKey;
  readonly #replicaId: string;
  readonly #caller: CallerPort;
  /** The registry as the replica addresses it. */
  readonly directory: Directory;
  #lost: LostCalls | undefined = undefined;

  /** @param key of the replica's deployment. @param post sends a message to the replica */
  constructor(
    registry: EndpointRegistry,
    key: RouteKey,
    { replicaId, instanceId, callerIndex }: ReplicaPlace,
    post: (message: ToReplica, transfer: readonly MessagePort[]) => void,
  ) {
    this.#registry = registry;
    this.#key = key;
    this.#replicaId = replicaId;
    this.#caller = {
      caller: { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      send: (event, transfer) => post({ type: 'directory', ...packEvent(event) }, transfer),
    };
    this.directory = new RegistryDirectory(registry, this.#caller);
    registry.addCaller(this.#caller);
  }

  /** Connects all callers of the deployment with the replica. */
  connect(replica: Reachable): void {
    this.#registry.connect(this.#key, replica);
  }

  /** Disconnects the replica from its callers. @param error rejects the calls that have started on the replica */
  disconnect(error: unknown): void {
    const lost = this.#registry.disconnect(this.#key, this.#replicaId, error);
    this.#lost ??= lost;
  }

  /** Collects the calls that the replica ran when it was disconnected. */
  get lost(): LostCalls {
    return this.#lost ?? new LostCalls();
  }

  /** The replica makes no more calls. */
  close(): void {
    this.#registry.removeCaller(this.#caller);
  }
}
