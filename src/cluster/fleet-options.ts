import type { Amounts } from '../deployment/options/resource-units.ts';
import type { AddressRules } from '../wire/addresses.ts';
import type { LinkCertificates } from '../wire/security.ts';
import type { FleetTiming } from './node/timing.ts';
import type { RedisSettings } from './redis/settings.ts';

/** Address at which an instance listens for its peers. */
export interface PeerAddress {
  /** IP address. */
  readonly host: string;
  readonly port: number;
}

/** Settings of an instance's part in a fleet, as plain data. */
export interface FleetOptions {
  /** Name of the fleet. */
  readonly name: string;
  /** Secrets of the fleet, at least 32 bytes each: the first one is used, all are accepted. */
  readonly secrets: readonly string[];
  /** Certificates in place of keys that are derived from the secret. */
  readonly tls?: LinkCertificates;
  /** Whether links go without TLS. */
  readonly trustNetwork?: boolean;
  /** Address to listen at; port 0 = any free port. */
  readonly listen: PeerAddress;
  /** Addresses that may be dialled. Default: those of the same class as the address to listen at */
  readonly allow?: AddressRules;
  /** Maximum size of a frame that the instance accepts, in bytes. Default 64 MiB */
  readonly maxPayload?: number;
  /** The other instances of the fleet. */
  readonly peers?: readonly PeerAddress[];
  /** Settings for finding the other instances in Redis. Default: `peers` alone are the fleet */
  readonly membership?: MembershipOptions;
}

/** Settings of an instance that finds its peers in Redis. */
export interface MembershipOptions {
  readonly redis: RedisSettings;
  /** IP address at which peers reach the instance. */
  readonly advertise?: string;
  /** Zone of the instance; empty: none. */
  readonly zone: string;
  /** Resources that replicas may use, in resource units. */
  readonly resources?: Amounts;
  readonly gpus?: number;
  readonly timing?: FleetTiming;
}
