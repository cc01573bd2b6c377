import type { MessagePort } from 'node:worker_threads';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { CallerPort, EndpointRegistry, Reachable } from '../handle/routing/endpoint-registry.ts';
import { type LostCall, LostCalls } from '../handle/routing/lost-calls.ts';
import type { ToReplica } from '../replica/control.ts';
import { packEvent } from '../replica/packed-event.ts';
import type { ReplicaPlace } from './replica-host.ts';

/** A replica's entries in the registry: as a caller from its start, as an endpoint once it is ready. */
export class Membership {
  readonly #registry: EndpointRegistry;
  readonly #key: RouteKey;
  readonly #replicaId: string;
  readonly #caller: CallerPort;
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

  /** The replica names its calls to another replica that is gone. */
  named(replicaId: string, calls: readonly LostCall[]): void {
    this.#registry.lost(this.#caller, replicaId, calls);
  }

  /** The replica wants to call a deployment. */
  subscribe(key: RouteKey): void {
    this.#registry.subscribe(this.#caller, key);
  }

  /** The replica has no more calls to an inline replica that another one has replaced. */
  replaced(inlineReplicaId: string): void {
    this.#registry.replaced(this.#caller, inlineReplicaId);
  }

  /** The replica makes no more calls. */
  end(): void {
    this.#registry.removeCaller(this.#caller);
  }
}
