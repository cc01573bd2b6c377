import { PRIORITIES } from './priority.ts';
import type { ShedReason } from './shed-reason.ts';
import { TenantQuotas, type TenantsOptions } from './tenants.ts';

/** Sheds nothing: there is no such priority. */
export const SHED_NOTHING: number = PRIORITIES.length;

/**
 * Whether a call has passed the gate: not yet, free of charge, or charged to its tenant. One that is made inside, on
 * behalf of calls that have passed, is not counted either.
 */
export const ADMISSION = { outside: 0, free: 1, charged: 2, inside: 3 } as const;
export type Entry = (typeof ADMISSION)[keyof typeof ADMISSION];

/** A call that wants to enter. */
export interface Entering {
  readonly priorityRank: number;
  readonly tenant: string;
  readonly createdAt: number;
  readonly entry: Entry;
  /** It passed the gate, or need not. */
  entered(entry: Entry): void;
}

/**
 * Where calls enter an instance: the host's thread. What they call in turn has been paid for and passes, and so do the
 * calls of replicas' threads, whose gates are always open.
 */
export class AdmissionControl {
  /** Nothing is refused or charged: the way of most calls. */
  isOpen: boolean;
  readonly #quotas: TenantQuotas | undefined;
  #shedFrom = SHED_NOTHING;

  constructor(tenants?: TenantsOptions) {
    this.#quotas = tenants === undefined ? undefined : new TenantQuotas(tenants);
    this.isOpen = this.#quotas === undefined;
  }

  /** Refuses calls of this rank and of less important ones. */
  shed(fromRank: number): void {
    this.#shedFrom = fromRank;
    this.isOpen = this.#quotas === undefined && fromRank === SHED_NOTHING;
  }

  /** Lets a call in, once, or says why not. */
  enter(call: Entering): ShedReason | undefined {
    if (call.entry !== ADMISSION.outside) return undefined;
    if (call.priorityRank >= this.#shedFrom) return 'host_overload';
    const isFree = this.#quotas === undefined || call.tenant === '';
    if (!isFree && !this.#quotas.enter(call.tenant, call.createdAt)) return 'tenant_quota';
    call.entered(isFree ? ADMISSION.free : ADMISSION.charged);
    return undefined;
  }

  /** A charged call is over. */
  leave({ tenant }: Entering): void {
    this.#quotas?.leave(tenant);
  }
}
