import { describe, expect, test } from 'vitest';
import { Seal } from './seal.ts';

const [OLD, NEW] = ['the old secret of a fleet, for tests', 'the new secret of a fleet, for tests'] as const;
const PAYLOAD = Buffer.from('a plan');

describe('secrets that rotate', () => {
  test.each([
    [[OLD], [OLD, NEW]],
    [
      [OLD, NEW],
      [NEW, OLD],
    ],
    [[NEW, OLD], [NEW]],
  ])('instances with %j and with %j read what either has sealed', (before, after) => {
    const seals = [new Seal(before), new Seal(after)];
    for (const one of seals)
      for (const other of seals) expect(other.open('plan', 7, one.seal('plan', 7, PAYLOAD))).toEqual(PAYLOAD);
  });

  test('a secret that was taken away seals nothing any more', () => {
    expect(new Seal([NEW]).open('plan', 7, new Seal([OLD, NEW]).seal('plan', 7, PAYLOAD))).toBe(undefined);
  });
});

describe('a sealed document', () => {
  const seal = new Seal([OLD]);
  const sealed = seal.seal('plan', 7, PAYLOAD);

  test('belongs to its key and its number', () => {
    expect(seal.open('plan', 7, sealed)).toEqual(PAYLOAD);
    expect(seal.open('plan', 8, sealed)).toBe(undefined);
    expect(seal.open('overrides', 7, sealed)).toBe(undefined);
  });

  test('is refused where it is cut or changed at any byte', () => {
    for (let at = 0; at < sealed.length; at++) {
      const changed = Uint8Array.from(sealed);
      changed[at] = (changed[at] as number) ^ 1;
      expect(seal.open('plan', 7, changed)).toBe(undefined);
      expect(seal.open('plan', 7, sealed.subarray(0, at))).toBe(undefined);
    }
  });
});
