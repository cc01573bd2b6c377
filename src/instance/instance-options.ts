import type { Resources } from '../deployment/options/resources.ts';
import type { TenantsOptions } from '../handle/queue/tenants.ts';
import type { Logger } from '../observe/logger.ts';
import type { Clock } from '../time/control-clock.ts';
import type { FleetPart } from './fleet/instance-fleet.ts';
import type { GrowthWatchOptions } from './guards/growth-watch-options.ts';
import type { HostGuardOptions } from './guards/overload-guard.ts';

export interface InstanceOptions {
  readonly log: Logger;
  readonly clock: Clock;
  /** File of the replicas' worker entry. */
  readonly workerEntry: string;
  /** Part of every deployment's version. */
  readonly version: string;
  /** Whether apps are reloaded when their files change. */
  readonly isDev: boolean;
  /** Whether all deployments run on the caller's own event loop. */
  readonly isInline: boolean;
  /** Overrides the machine's resources. */
  readonly resources: Resources;
  readonly tenants: TenantsOptions | undefined;
  readonly hostGuard: HostGuardOptions;
  readonly growthWatch: GrowthWatchOptions;
  /** Undefined: the instance belongs to no fleet. */
  readonly fleet?: FleetPart | undefined;
}
