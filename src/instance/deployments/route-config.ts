import type { DeploymentSpec } from '../../deployment/app-spec.ts';
import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import type { RouteConfig } from '../../handle/call/route-config.ts';
import { priorityRank } from '../../handle/queue/priority.ts';
import type { TenantsOptions } from '../../handle/queue/tenants.ts';

/** The options of a deployment that its callers act on. */
export function routeConfig(
  { options, version }: Pick<DeploymentSpec, 'options' | 'version'>,
  tenants: TenantsOptions | undefined,
): RouteConfig {
  return {
    version,
    requestTimeoutMs: options.requestTimeoutMs,
    streamIdleTimeoutMs: options.streamIdleTimeoutMs,
    streamTimeoutMs: options.streamTimeoutMs,
    priorityRank: priorityRank(options.priority),
    backpressure: options.backpressure,
    isByReference: ISOLATIONS[options.isolation].isByReference,
    isCopied: !ISOLATIONS[options.isolation].allowsTransfer,
    idempotent: options.idempotent,
    hedge: options.hedge,
    accessLog: options.logging.accessLog,
    tenants,
  };
}
