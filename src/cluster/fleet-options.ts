import type { AddressRules } from '../wire/addresses.ts';
import type { LinkCertificates } from '../wire/security.ts';

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
}
