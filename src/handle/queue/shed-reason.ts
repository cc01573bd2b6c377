/** Reasons for which calls are rejected before they start; the `reason` label of `serve_shed_total`. */
export const SHED_REASONS = ['queue_full', 'displaced', 'doomed', 'host_overload', 'tenant_quota'] as const;
export type ShedReason = (typeof SHED_REASONS)[number];
