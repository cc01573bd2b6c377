import type { TenantsOptions } from '../queue/tenants.ts';

/** When a second replica is asked, and how many calls more that may make. */
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
  /** Arguments and results pass by reference: the deployment is inline. */
  readonly isByReference: boolean;
  readonly backpressure: { readonly statusCode: number; readonly retryAfterMs: number | 'auto' };
  /** Methods that may run twice. */
  readonly idempotent: boolean | readonly string[];
  readonly hedge: HedgeConfig | undefined;
  /** One record per HTTP request. */
  readonly accessLog: boolean;
  /** Weights of tenants that wait for the same replicas. */
  readonly tenants: TenantsOptions | undefined;
}

/** Until the registry answers. */
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
