import { isIP } from 'node:net';
import { expect, test } from 'vitest';
import { AddressFilter } from '../wire/addresses.ts';
import { machineAddress, ownAddresses } from './own-address.ts';

test('an instance at one address has the class of it', () => {
  expect(ownAddresses('10.1.2.3')).toEqual(['10.1.2.3']);
});

test('one that listens at all interfaces may dial this machine and its network', () => {
  expect(isIP(machineAddress())).not.toBe(0);
  const filter = AddressFilter.around(...ownAddresses('0.0.0.0'));
  for (const address of ['127.0.0.1', machineAddress()]) expect(filter.allows(address, 7411)).toBe(true);
  for (const address of ['0.0.0.0', '169.254.169.254']) expect(filter.allows(address, 7411)).toBe(false);
});
