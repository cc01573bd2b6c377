import { BlockList, isIP } from 'node:net';
import { invalidOption, ServeError } from '../errors.ts';

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'];
/** Addresses of clouds' metadata services, which are never dialled. */
const NEVER = [
  '169.254.0.0/16',
  'fe80::/10',
  '0.0.0.0/8',
  '::/128',
  '224.0.0.0/4',
  'ff00::/8',
  '255.255.255.255/32',
];

export interface AddressRules {
  /** Networks, such as `10.1.0.0/16` or `fd00::/8`. */
  readonly networks: readonly string[];
  /** Allowed ports. Default: all */
  readonly ports?: readonly number[] | undefined;
}

/** Decides which addresses may be dialled: an address from the store is only a hint, and may be forged. */
export class AddressFilter {
  readonly #allowed: BlockList;
  readonly #never = listOf(NEVER);
  readonly #ports: ReadonlySet<number> | undefined;

  /** @throws ServeError `SERVE_INVALID_OPTION` */
  constructor({ networks, ports }: AddressRules) {
    this.#allowed = listOf(networks);
    this.#ports = ports === undefined ? undefined : new Set(ports);
  }

  /**
   * Allows the classes of the addresses of this instance: loopback or private networks; for a public address, only that
   * address.
   */
  static around(...addresses: readonly string[]): AddressFilter {
    return new AddressFilter({ networks: addresses.flatMap(classOf) });
  }

  /** @param address an IP address: names are not resolved, since they may resolve differently the next time */
  allows(address: string, port: number): boolean {
    const family = familyOf(address);
    if (family === undefined || port < 1 || port > 65_535) return false;
    if (this.#ports !== undefined && !this.#ports.has(port)) return false;
    return this.#allowed.check(address, family) && !this.#never.check(address, family);
  }

  /** @throws ServeError `SERVE_UNAUTHORIZED` */
  check(address: string, port: number): void {
    if (!this.allows(address, port))
      throw new ServeError(
        'SERVE_UNAUTHORIZED',
        `${address}:${port} is not in fleet.allow: the address is not dialled`,
      );
  }
}

/** The networks of the class of an address. */
function classOf(address: string): readonly string[] {
  for (const networks of [LOOPBACK, PRIVATE])
    if (new AddressFilter({ networks }).allows(address, 1)) return networks;
  return [`${address}/${isIP(address) === 4 ? 32 : 128}`];
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits = '', ...more] = network.split('/');
    const family = familyOf(address);
    const max = family === 'ipv4' ? 32 : 128;
    if (family === undefined || more.length > 0 || !/^\d{1,3}$/.test(bits) || Number(bits) > max)
      throw invalidOption('fleet.allow', network, 'a network such as 10.0.0.0/8 or fd00::/8');
    list.addSubnet(address, Number(bits), family);
  }
  return list;
}
