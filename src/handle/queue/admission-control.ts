import { PRIORITIES } from './priority.ts';
import type { ShedReason } from './shed-reason.ts';
import { TenantQuotas, type TenantsOptions } from './tenants.ts';

/** The rank from which nothing is shed: no priority has it. */
export const SHED_NOTHING: number = PRIORITIES.length;

/**
 * Admission state of a call: outside (not yet admitted), free of charge, or charged to its tenant. A call that is made
 * inside, on behalf of admitted calls, is not counted either.
 */
export const ADMISSION = { outside: 0, free: 1, charged: 2, inside: 3 } as const;
export type Entry = (typeof ADMISSION)[keyof typeof ADMISSION];

/** A call that asks for admission. */
export interface Entering {
  readonly priorityRank: number;
  readonly tenant: string;
  readonly createdAt: number;
  readonly entry: Entry;
  /** The call was admitted, or is exempt. */
  entered(entry: Entry): void;
}

/**
 * Admits calls to an instance, on the host's thread. Child calls of an admitted call pass uncharged, and so do the
 * calls of replicas' threads, whose admission is always open.
 */
export class AdmissionControl {
  /** Whether nothing is refused or charged, which is the case for most calls. */
  isOpen: boolean;
  readonly #quotas: TenantQuotas | undefined;
  #shedFrom = SHED_NOTHING;
  #onFirst: (() => void) | undefined = undefined;

  constructor(tenants?: TenantsOptions) {
    this.#quotas = tenants === undefined ? undefined : new TenantQuotas(tenants);
    this.isOpen = this.#quotas === undefined;
  }

  /** Refuses calls of this rank and of less important ones. @param onFirst called when the first one is refused */
  shed(fromRank: number, onFirst?: () => void): void {
    this.#shedFrom = fromRank;
    this.#onFirst = onFirst;
    this.isOpen = this.#quotas === undefined && fromRank === SHED_NOTHING;
  }

  /** Admits a call, once, or returns the reason for its refusal. */
  enter(call: Entering): ShedReason | undefined {
    if (call.entry !== ADMISSION.outside) return undefined;
    if (call.priorityRank >= this.#shedFrom) {
      this.#onFirst?.();
      this.#onFirst = undefined;
      return 'host_overload';
    }
    const isFree = this.#quotas === undefined || call.tenant === '';
    if (!isFree && !this.#quotas.enter(call.tenant, call.createdAt)) return 'tenant_quota';
    call.entered(isFree ? ADMISSION.free : ADMISSION.charged);
    return undefined;
  }

  /** A charged call has ended. */
  leave({ tenant }: Entering): void {
    this.#quotas?.leave(tenant);
  }
}
