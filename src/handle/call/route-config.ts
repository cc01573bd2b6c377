import type { TenantsOptions } from '../queue/tenants.ts';

/** The delay before a second replica is asked, and the bound on the extra calls. */
export interface HedgeConfig {
  readonly afterMs: number | 'p95';
  readonly maxExtraRatio: number;
}

/** The options of a deployment that its callers act on. */
export interface RouteConfig {
  readonly requestTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  readonly streamTimeoutMs: number;
  readonly priorityRank: number;
  /** Whether arguments and results pass by reference, because the deployment is inline. */
  readonly isByReference: boolean;
  /** Whether arguments are only copied, because the deployment runs in processes of its own. Default false */
  readonly isCopied?: boolean;
  readonly backpressure: { readonly statusCode: number; readonly retryAfterMs: number | 'auto' };
  /** Methods that may run twice. */
  readonly idempotent: boolean | readonly string[];
  readonly hedge: HedgeConfig | undefined;
  /** Whether each HTTP request is logged. */
  readonly accessLog: boolean;
  /** Version of the deployment in this instance; undefined if only other instances have it. */
  readonly version?: string | undefined;
  /** Weights of tenants that wait for the same replicas. */
  readonly tenants: TenantsOptions | undefined;
}

/** The configuration of a route until the registry answers. */
export const UNKNOWN_CONFIG: RouteConfig = {
  requestTimeoutMs: 30_000,
  streamIdleTimeoutMs: 60_000,
  streamTimeoutMs: 0,
  priorityRank: 1,
  isByReference: false,
  backpressure: { statusCode: 503, retryAfterMs: 'auto' },
  idempotent: false,
  hedge: undefined,
  accessLog: false,
  tenants: undefined,
};
