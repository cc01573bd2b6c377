import { describe, expect, test } from 'vitest';
import { mixedDeclaration } from '../../test/support/fleet/fixtures.ts';
import { hash } from '../load/hash.ts';
import { DocumentCodec, declarationHash, MAX_VALUE_BYTES } from './document-codec.ts';
import { DOCUMENT_FORMAT, type MemberRecord, NO_OVERRIDES, type Plan } from './documents.ts';
import { FleetKeys } from './redis/keys.ts';
import { Seal } from './redis/seal.ts';

const [OLD, NEW, OTHER] = ['old', 'new', 'other'].map((word) => word.padEnd(32, '.')) as [
  string,
  string,
  string,
];

function codec(...secrets: string[]): DocumentCodec {
  return new DocumentCodec(new FleetKeys('shop'), new Seal(secrets));
}

const record: MemberRecord = {
  format: DOCUMENT_FORMAT,
  id: 'a',
  epoch: 1,
  address: 'a:7411',
  certificate: '',
  protocols: [1],
  codeVersion: '1',
  declaration: 'abc',
  resources: { cpus: 80_000 },
  gpus: 0,
  zone: '',
  state: 'up',
};

function planWith(instances: number, deployments: number): Plan {
  const ids = Array.from(
    { length: instances },
    (_, index) => `instance-${index}-${(index * 2654435761) % 2 ** 32}`,
  );
  const counts = Array.from({ length: deployments }, (_, deployment) => [
    `app/deployment-${deployment}`,
    ids.map((_, index) => hash(`${index} ${deployment}`) % 23),
  ]);
  return {
    format: DOCUMENT_FORMAT,
    number: 3,
    token: 10,
    owner: 'a#1',
    generation: 0,
    previousTotal: 0,
    instances: ids,
    counts: Object.fromEntries(counts),
    ending: [],
    shares: {},
  };
}

describe('documents', () => {
  test('come back as they were sealed', () => {
    const made = codec(OLD);
    const declaration = mixedDeclaration();
    const hash = declarationHash(declaration);
    const overrides = { ...NO_OVERRIDES, generation: 4, draining: ['a'] };
    expect(made.openRecord('a', made.sealRecord(record))).toMatchObject({ document: record });
    expect(made.openDeclaration(hash, made.sealDeclaration(hash, declaration))).toMatchObject({
      document: JSON.parse(JSON.stringify(declaration)),
    });
    expect(made.openOverrides(4, made.sealOverrides(overrides))).toMatchObject({
      document: JSON.parse(JSON.stringify(overrides)),
    });
    expect(made.openPlan(3, made.sealPlan(planWith(3, 2)))).toMatchObject({ document: planWith(3, 2) });
  });

  test('of another secret, another key or another number are forged', () => {
    const made = codec(OLD);
    const sealed = made.sealRecord(record);
    const overrides = made.sealOverrides({ ...NO_OVERRIDES, generation: 4 });
    const forged = { unreadable: 'forged' };
    expect(codec(OTHER).openRecord('a', sealed)).toEqual(forged);
    expect(made.openRecord('b', sealed)).toEqual(forged);
    expect(made.openOverrides(5, overrides)).toEqual(forged);
    expect(made.openRecord('a', sealed.subarray(0, 20))).toEqual(forged);
    for (let index = 0; index < sealed.length; index += 7) {
      const changed = Uint8Array.from(sealed);
      changed[index] = (changed[index] as number) ^ 1;
      expect(made.openRecord('a', changed)).toEqual(forged);
    }
  });

  test('the first secret seals, all of them open: secrets can be changed without a stop', () => {
    const before = codec(OLD).sealRecord(record);
    const during = codec(NEW, OLD).sealRecord(record);
    expect(codec(NEW, OLD).openRecord('a', before)).toHaveProperty('document');
    expect(codec(OLD, NEW).openRecord('a', during)).toHaveProperty('document');
    expect(codec(OLD).openRecord('a', during)).toEqual({ unreadable: 'forged' });
    expect(() => codec('too short')).toThrow('at least 32 bytes');
  });

  test('a large plan takes several pages, which only fit together', () => {
    const made = codec(OLD);
    const plan = planWith(1_000, 200);
    const pages = made.sealPlan(plan);
    expect(pages.length).toBeGreaterThan(1);
    for (const page of pages) expect(page.length).toBeLessThanOrEqual(MAX_VALUE_BYTES);
    expect(made.openPlan(3, pages)).toMatchObject({ document: plan });
    expect(made.openPlan(3, [...pages].reverse())).toEqual({ unreadable: 'forged' });
    expect(made.openPlan(3, pages.slice(0, -1))).toEqual({ unreadable: 'malformed' });
  });

  test('a newer format is told from damage', () => {
    const seal = new Seal([OLD]);
    const key = new FleetKeys('shop').record('a');
    const sealed = (text: string): Uint8Array => seal.seal(key, 0, Buffer.from(text));
    const made = codec(OLD);
    expect(made.openRecord('a', sealed(JSON.stringify({ ...record, format: 2 })))).toEqual({
      unreadable: 'newer-format',
    });
    expect(made.openRecord('a', sealed('{"format":1}'))).toEqual({ unreadable: 'malformed' });
    expect(made.openRecord('a', sealed('no JSON'))).toEqual({ unreadable: 'malformed' });
  });
});
