import { describe, expect, test } from 'vitest';
import { AddressFilter } from './addresses.ts';

describe('addresses that may be dialled', () => {
  const filter = new AddressFilter({
    networks: ['10.1.0.0/16', 'fd00::/8', '127.0.0.1/32', '0.0.0.0/0'].slice(0, 3),
  });

  test.each([
    ['10.1.0.1', true],
    ['10.1.255.255', true],
    ['10.2.0.1', false],
    ['127.0.0.1', true],
    ['127.0.0.2', false],
    ['fd00::1', true],
    ['fe80::1', false],
    ['::1', false],
    ['169.254.169.254', false],
    ['localhost', false],
    ['10.1.0.1.example.org', false],
    ['0x0a010001', false],
    ['167837697', false],
    ['10.1.1', false],
    ['', false],
  ])('%s: %s', (address, isAllowed) => {
    expect(filter.allows(address, 7_411)).toBe(isAllowed);
  });

  test('are never those of metadata services, whatever is allowed', () => {
    const all = new AddressFilter({ networks: ['0.0.0.0/0', '::/0'] });
    expect(all.allows('8.8.8.8', 1)).toBe(true);
    for (const address of [
      '169.254.169.254',
      'fe80::1',
      '0.0.0.0',
      '::',
      '224.0.0.1',
      '::ffff:169.254.169.254',
    ])
      expect(all.allows(address, 80)).toBe(false);
  });

  test('have one of the ports', () => {
    const some = new AddressFilter({ networks: ['10.0.0.0/8'], ports: [7_411] });
    expect(some.allows('10.0.0.1', 7_411)).toBe(true);
    for (const port of [22, 0, -1, 65_536, Number.NaN]) expect(some.allows('10.0.0.1', port)).toBe(false);
    expect(() => some.check('10.0.0.1', 22)).toThrow(expect.objectContaining({ code: 'SERVE_UNAUTHORIZED' }));
  });

  test.each([
    ['127.0.0.1', ['127.0.0.1', '::1'], ['10.0.0.1', '8.8.8.8']],
    ['10.3.0.1', ['10.0.0.1', '192.168.1.1', 'fd00::1'], ['127.0.0.1', '8.8.8.8']],
    ['8.8.8.8', ['8.8.8.8'], ['8.8.4.4', '10.0.0.1']],
    ['2001:db8::1', ['2001:db8::1'], ['2001:db8::2', '::1']],
  ])('by default are of the class of %s', (own, allowed, others) => {
    const filter = AddressFilter.around(own);
    for (const address of allowed) expect(filter.allows(address, 1)).toBe(true);
    for (const address of others) expect(filter.allows(address, 1)).toBe(false);
  });

  test.each(['10.0.0.0', '10.0.0.0/33', 'fd00::/129', 'x/8', '10.0.0.0/8/8', '10.0.0.0/', ''])(
    'a network is not %j',
    (network) => {
      expect(() => new AddressFilter({ networks: [network] })).toThrow(
        expect.objectContaining({ code: 'SERVE_INVALID_OPTION' }),
      );
    },
  );
});
