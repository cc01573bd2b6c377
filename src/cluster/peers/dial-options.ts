import { AddressFilter } from '../../wire/addresses.ts';
import type { DialOptions } from '../../wire/dialer.ts';
import type { Introduction } from '../../wire/handshake.ts';
import { MAX_PAYLOAD_BYTES } from '../../wire/link.ts';
import { LinkSecurity } from '../../wire/security.ts';
import type { FleetOptions } from '../fleet-options.ts';
import { ownAddresses } from '../own-address.ts';
import { readCertificates } from '../tls/certificates.ts';

/** The part of a dial that is the same for all peers. */
export type CommonDialOptions = Pick<DialOptions, 'allow' | 'security' | 'self'>;

/** Introduces an instance and protects its links by the options of its fleet. */
export function dialOptions(options: FleetOptions, instance: string, epoch: number): CommonDialOptions {
  const { name, secrets, tls, trustNetwork, allow, listen, maxPayload = MAX_PAYLOAD_BYTES } = options;
  const self: Introduction = { instance, epoch, maxPayload };
  return {
    self,
    allow:
      allow === undefined ? AddressFilter.around(...ownAddresses(listen.host)) : new AddressFilter(allow),
    security: new LinkSecurity({
      fleet: name,
      secrets,
      ...(tls !== undefined && { tls: readCertificates(tls) }),
      ...(trustNetwork !== undefined && { trustNetwork }),
    }),
  };
}
