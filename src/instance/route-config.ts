import type { ResolvedOptions } from '../deployment/options.ts';
import type { RouteConfig } from '../handle/directory.ts';
import { priorityRank } from '../handle/priority.ts';

/** The options of a deployment that its callers act on. */
export function routeConfig(options: ResolvedOptions): RouteConfig {
  return {
    requestTimeoutMs: options.requestTimeoutMs,
    streamIdleTimeoutMs: options.streamIdleTimeoutMs,
    streamTimeoutMs: options.streamTimeoutMs,
    priorityRank: priorityRank(options.priority),
    backpressure: options.backpressure,
    isByReference: options.isolation === 'inline',
  };
}
