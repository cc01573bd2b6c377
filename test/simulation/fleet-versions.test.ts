import { describe, expect, test } from 'vitest';
import { type Declaration, DOCUMENT_FORMAT } from '../../src/cluster/documents.ts';
import { declarationOf, declared, mixedDeclaration } from '../support/fleet/fixtures.ts';
import { SimulatedFleet } from '../support/fleet/simulated-fleet.ts';

const FIXED = 'shop/fixed';

function settled(count: number): SimulatedFleet {
  const fleet = new SimulatedFleet(1);
  fleet.startMany(count);
  fleet.until(() => fleet.isSettled(), 15_000, 'a settled fleet');
  fleet.run(20_000);
  return fleet;
}

function codeOf(version: string, numReplicas: number): Declaration {
  return declarationOf(version, [declared('fixed', { numReplicas, fingerprint: `fixed-${version}` })]);
}

function faultsOf(fleet: SimulatedFleet): string[] {
  return fleet.alive().flatMap(({ faults }) => faults);
}

describe('versions of the code', () => {
  test('the newest decides how many replicas there are; once its servers are gone the older one does again', () => {
    const fleet = settled(3);
    const newer = fleet.start('newer', { declaration: codeOf('2', 7) });
    fleet.until(() => fleet.running(FIXED) === 7, 20_000);
    newer.kill();
    // A version without a live member is forgotten after a minute.
    fleet.until(() => fleet.running(FIXED) === 5 && fleet.isSettled(), 120_000);
  });

  test('of one version with two declarations the later one counts, and an alarm says so', () => {
    const fleet = settled(2);
    fleet.start('other', { declaration: codeOf('1', 6) });
    fleet.until(() => fleet.running(FIXED) === 6, 20_000);
    fleet.run(50_000);
    const told = faultsOf(fleet).filter((fault) => fault.startsWith(`declaration ${FIXED}`));
    expect(told).toHaveLength(1);
  });

  test('a version leads once it is proven, and one that ends at every start never does', () => {
    const fleet = settled(3);
    const leader = fleet.leader();
    for (let start = 0; start < 5; start++) {
      const crashing = fleet.start('crashing', { declaration: mixedDeclaration('2') });
      fleet.run(8_000);
      crashing.kill();
      fleet.run(2_000);
      expect(fleet.leader()).toBe(leader);
    }
    fleet.until(() => fleet.running(FIXED) === 5, 20_000);
    const proven = fleet.start('proven', { declaration: mixedDeclaration('3') });
    fleet.until(() => fleet.leaders()[0] === proven, 60_000);
  });

  test('a deployment that only newer code has lives where that code is', () => {
    const fleet = settled(2);
    const declaration = declarationOf('2', [declared('fixed', { numReplicas: 5 }), declared('more')]);
    const newer = fleet.start('newer', { declaration });
    fleet.until(() => fleet.running('shop/more') === 1, 20_000);
    expect(newer.stub.running('shop/more')).toBe(1);
  });
});

describe('formats of documents', () => {
  test('a plan in a newer format is told, and the fleet goes on by its own', () => {
    const fleet = settled(3);
    const { plan } = fleet.leader().node.situation;
    if (plan === undefined) throw new Error('no plan');
    const newer = { ...plan, number: plan.number + 1, format: DOCUMENT_FORMAT + 1 };
    const [value] = fleet.codec.sealPlan(newer);
    if (value === undefined) throw new Error('no page');
    fleet.store.state.forge({ plan: { number: newer.number, token: newer.token, value } });
    fleet.run(20_000);
    expect(fleet.running(FIXED)).toBe(5);
    expect(faultsOf(fleet).join()).toContain('newer code wrote: plan');
    fleet.scale(fleet.leader(), 6);
    fleet.until(() => fleet.running(FIXED) === 6, 5_000);
  });

  test('orders in a newer format stay: code that cannot read them does not write over them, and refuses others', () => {
    const fleet = settled(2);
    fleet.scale(fleet.leader(), 6);
    fleet.until(() => fleet.running(FIXED) === 6, 5_000);
    const { overrides } = fleet.leader().node;
    const newer = { ...overrides, generation: overrides.generation + 1, format: DOCUMENT_FORMAT + 1 };
    const value = fleet.codec.sealOverrides(newer);
    fleet.store.state.forge({ overrides: { number: newer.generation, value } });
    fleet.run(5_000);
    const command = fleet.scale(fleet.leader(), 7);
    fleet.run(5_000);
    expect(fleet.leader().answers.get(command)).toMatch('not answer in time');
    expect(fleet.running(FIXED)).toBe(6);
    const wanted = { members: [], declarations: [], overrides: true, plan: false, versions: false };
    expect(fleet.store.state.read(wanted).overrides?.number).toBe(newer.generation);
    expect(faultsOf(fleet).join()).toContain('newer code wrote: overrides');
  });
});
