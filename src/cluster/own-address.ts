import { networkInterfaces } from 'node:os';

/** Addresses that stand for all interfaces and cannot be dialled. */
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
const LOOPBACK = '127.0.0.1';

/** Whether an address to listen at stands for all interfaces of the machine. */
export function isWildcard(address: string): boolean {
  return WILDCARDS.has(address);
}

/** An address at which other machines may reach this one, IPv4 first; loopback if it has no network. */
export function machineAddress(): string {
  const external = Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).filter(({ internal, address }) => !internal && !address.startsWith('fe80:')),
  );
  const [first = undefined] = external.toSorted((a, b) =>
    a.family < b.family ? -1 : Number(a.family > b.family),
  );
  return first?.address ?? LOOPBACK;
}

/** The addresses of an instance that listens at `host`, whose classes its peers may have as well. */
export function ownAddresses(host: string): string[] {
  return isWildcard(host) ? [machineAddress(), LOOPBACK] : [host];
}
