import { type Fields, integer, number, object, recordOf } from '../../validation/fields.ts';

/** The share and limits of one tenant in an instance. */
export interface TenantPolicy {
  /** Share of the replicas' time, relative to the other waiting tenants. Default 1. */
  weight?: number;
  /** Maximum number of queued and running calls of the tenant. Default: no limit. */
  maxInFlight?: number;
  /** Maximum number of new calls per second, with a burst of one second's worth. Default: no limit. */
  maxPerSecond?: number;
}

/** Policies of tenants; calls without a tenant have weight 1 and no limits. */
export interface TenantsOptions {
  /** Policy of each tenant that is not in `byName`. */
  default?: TenantPolicy;
  /** Policies of single tenants, by name. */
  byName?: Record<string, TenantPolicy>;
}

const policy = object<TenantPolicy>({
  weight: number(0.001, 1_000),
  maxInFlight: integer(1),
  maxPerSecond: number(0.001),
});

export const TENANTS_FIELDS: Fields<TenantsOptions> = { default: policy, byName: recordOf(policy) };

export function policyOf(tenants: TenantsOptions | undefined, tenant: string): TenantPolicy {
  if (tenants === undefined || tenant === '') return {};
  const { byName, default: general = {} } = tenants;
  return byName !== undefined && Object.hasOwn(byName, tenant) ? (byName[tenant] as TenantPolicy) : general;
}

interface Usage {
  inFlight: number;
  /** Number of calls that the rate limit allows now. */
  tokens: number;
  filledAt: number;
}

/** Number of tenants from which idle tenants are forgotten, since tenants may come and go without end. */
const SWEEP_AT = 1_024;

/** Tracks the usage of an instance's tenants where calls enter: on the host's thread. */
export class TenantQuotas {
  readonly #tenants: TenantsOptions;
  readonly #usage = new Map<string, Usage>();
  #sweepAt = SWEEP_AT;

  constructor(tenants: TenantsOptions) {
    this.#tenants = tenants;
  }

  /** Charges the tenant with one call; false if its quota is used up. @param at in ms */
  enter(tenant: string, at: number): boolean {
    const { maxInFlight = Infinity, maxPerSecond = Infinity } = policyOf(this.#tenants, tenant);
    const usage = this.#of(tenant, maxPerSecond, at);
    if (usage.inFlight >= maxInFlight || usage.tokens < 1) return false;
    usage.inFlight++;
    usage.tokens--;
    return true;
  }

  leave(tenant: string): void {
    const usage = this.#usage.get(tenant);
    if (usage !== undefined) usage.inFlight--;
  }

  #of(tenant: string, perSecond: number, at: number): Usage {
    const known = this.#usage.get(tenant);
    const burst = Math.max(1, perSecond);
    if (known === undefined) {
      if (this.#usage.size >= this.#sweepAt) this.#sweep(at);
      const made = { inFlight: 0, tokens: burst, filledAt: at };
      this.#usage.set(tenant, made);
      return made;
    }
    if (perSecond !== Infinity) {
      known.tokens = Math.min(burst, known.tokens + (perSecond * Math.max(0, at - known.filledAt)) / 1_000);
      known.filledAt = at;
    }
    return known;
  }

  #sweep(at: number): void {
    for (const [tenant, { inFlight, tokens, filledAt }] of this.#usage) {
      const { maxPerSecond = 0 } = policyOf(this.#tenants, tenant);
      const isFull = tokens + (maxPerSecond * (at - filledAt)) / 1_000 >= Math.max(1, maxPerSecond);
      if (inFlight === 0 && isFull) this.#usage.delete(tenant);
    }
    this.#sweepAt = Math.max(SWEEP_AT, 2 * this.#usage.size);
  }
}
