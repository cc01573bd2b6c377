import type { PendingReplicas } from '../../../controller/place.ts';
import type { SpecOptions } from '../../../deployment/app-spec.ts';
import { demandOf } from '../../../deployment/options/resources.ts';
import type { RouteKey } from '../../../handle/routing/directory.ts';
import type { InstanceControl } from '../../control.ts';
import type { ResourceLedger } from '../../resources/resource-ledger.ts';

/** The target number of replicas of a deployment, and the obstacle that keeps it from being reached. */
export class ReplicaTarget {
  readonly #key: RouteKey;
  readonly #control: InstanceControl;
  readonly #resources: ResourceLedger;
  #options: SpecOptions;
  #target = 0;
  #scaling: 'up' | 'down' | undefined = undefined;
  #pending: PendingReplicas | undefined = undefined;
  #pendingSince = 0;

  constructor(key: RouteKey, options: SpecOptions, control: InstanceControl, resources: ResourceLedger) {
    this.#key = key;
    this.#options = options;
    this.#control = control;
    this.#resources = resources;
    this.read();
    this.#scaling = undefined;
  }

  /** Target number of replicas. */
  get target(): number {
    return this.#target;
  }

  /** Whether the plan has a number of replicas for the deployment; in a fleet this may take a while. */
  get isPlanned(): boolean {
    return this.#control.planned(this.#key) !== undefined;
  }

  /** Direction of a target change that the replicas have not followed yet. */
  get scaling(): 'up' | 'down' | undefined {
    return this.#scaling;
  }

  /** Number of replicas that fit nowhere. */
  get pending(): PendingReplicas | undefined {
    return this.#pending;
  }

  /** Applies other options, and the current plan with them. */
  follow(options: SpecOptions): void {
    this.#options = options;
    this.read();
  }

  /** Takes the target from the plan; without an entry there the target stays. @returns whether it changed */
  read(): boolean {
    const before = this.#target;
    const target = this.#control.planned(this.#key) ?? before;
    if (target !== before) this.#scaling = target > before ? 'up' : 'down';
    this.#target = target;
    this.#resources.expect(this.#key, target, demandOf(this.#options.resources));
    return target !== before;
  }

  /** The deployment is gone and needs no resources. */
  forget(): void {
    this.#resources.forget(this.#key);
  }

  /**
   * @param running replicas of the current version
   * @param isStopping whether replicas that were told to stop remain
   */
  observe(running: number, isStopping: boolean): void {
    if (this.#scaling === 'down' ? !isStopping : running >= this.#target) this.#scaling = undefined;
  }

  /** Records how many replicas could not be started, and why. */
  observePending(at: number, replicas: number, reason: string): void {
    if (replicas > 0 && this.#pending === undefined) this.#pendingSince = at;
    this.#pending = replicas === 0 ? undefined : { replicas, reason };
  }

  /** The reason, once replicas have been pending for longer than `pendingTimeoutMs`. */
  overdue(at: number): string | undefined {
    return at - this.#pendingSince > this.#options.pendingTimeoutMs ? this.#pending?.reason : undefined;
  }

  /** Whether one more replica could be placed now. */
  fits(): boolean {
    const { resources, maxReplicasPerInstance } = this.#options;
    return this.#resources.fits(this.#key, demandOf(resources), maxReplicasPerInstance);
  }
}
