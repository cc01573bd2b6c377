import { describe, expect, test } from 'vitest';
import { declarationOf, declared } from '../../../../test/support/fleet/fixtures.ts';
import { autoscalingOf } from '../../../deployment/options/autoscaling-options.ts';
import {
  type ConfiguredCounts,
  type DeclaredDeployment,
  NO_OVERRIDES,
  type Overrides,
} from '../../documents.ts';
import { placesOf, versionKey } from '../declaration.ts';
import { type OverrideChange, withChange } from '../overrides.ts';
import { type Merged, merge } from './merge.ts';

interface Code {
  readonly version: string;
  readonly seenAt: number;
  readonly options?: Partial<DeclaredDeployment>;
}

/** Members a, b, c … with the given code each. */
function merged(codes: readonly Code[], overrides: Overrides = NO_OVERRIDES): Merged {
  const hashes = codes.map(({ version, options }) => JSON.stringify([version, options]));
  const places = new Map(
    codes.map(({ version, options }, index) => [
      hashes[index] ?? '',
      placesOf(declarationOf(version, [declared('x', options)])),
    ]),
  );
  const versions = codes.map(({ version, seenAt }, index) => [
    versionKey(version, hashes[index] ?? ''),
    seenAt,
  ]);
  return merge({
    members: codes.map(({ version }, index) => ({
      id: String.fromCharCode(97 + index),
      state: 'up',
      codeVersion: version,
      declaration: hashes[index] ?? '',
    })),
    places: (hash) => places.get(hash),
    versions: Object.fromEntries(versions),
    firstSeen: new Map(codes.map(({ version, seenAt }) => [version, seenAt])),
    overrides,
  });
}

const context = { by: 'a', at: 0, newestVersionAt: 10, ownVersionAt: 10, liveVersionsAt: [10], format: 1 };

function config(counts: ConfiguredCounts): OverrideChange {
  const configs = { 'shop/x': { options: {}, counts } };
  return { kind: 'deploy', apps: ['shop'], configs, deleted: [], percent: undefined, isSameApps: true };
}

describe('merge', () => {
  test('the newest code decides, all that have the deployment are its hosts', () => {
    const { deployments } = merged([
      { version: '2', seenAt: 20, options: { numReplicas: 2 } },
      { version: '1', seenAt: 10, options: { numReplicas: 1 } },
    ]);
    expect(deployments).toMatchObject([
      { key: 'shop/x', numReplicas: 2, hosts: ['a', 'b'], isDeleted: false },
    ]);
  });

  test('within one version the declaration that was seen last counts, and a fault says so', () => {
    const { deployments, faults } = merged([
      { version: '1', seenAt: 10, options: { numReplicas: 3 } },
      { version: '1', seenAt: 11, options: { numReplicas: 4 } },
    ]);
    expect(deployments[0]?.numReplicas).toBe(4);
    expect([...faults.keys()]).toEqual(['declaration shop/x']);
  });

  test('equal fingerprints with different files are a fault', () => {
    const { faults } = merged([
      { version: '1', seenAt: 10 },
      { version: '1', seenAt: 11, options: { moduleHash: 'b' } },
    ]);
    expect([...faults.keys()]).toContain('module shop/x');
  });

  test('a number of scale() wins until a config names it; bounds and a number replace each other', () => {
    const auto = { autoscaling: autoscalingOf(undefined, { minReplicas: 1, maxReplicas: 4 }) };
    const at = (overrides: Overrides) =>
      merged([{ version: '1', seenAt: 10, options: auto }], overrides).deployments[0];
    const bounded = withChange(
      NO_OVERRIDES,
      { kind: 'scale', deployment: 'shop/x', scale: { min: 2, max: 6 } },
      context,
    );
    expect(at(bounded)?.autoscaling).toMatchObject({ minReplicas: 2, maxReplicas: 6 });
    const fixed = withChange(
      bounded,
      { kind: 'scale', deployment: 'shop/x', scale: { replicas: 9 } },
      context,
    );
    expect(at(fixed)).toMatchObject({ numReplicas: 9, autoscaling: undefined });
    const deployed = withChange(fixed, config({ numReplicas: 3 }), context);
    expect(deployed.generation).toBe(3);
    expect(at(deployed)).toMatchObject({ numReplicas: 3, autoscaling: undefined });
  });

  test('a trial has its share until it is judged, and another version of it is another trial', () => {
    const tried = (seed: number): Merged['trials'] => {
      const of = { of: 'shop', kind: 'canary' as const, share: 0.1, seed };
      const places = placesOf({
        ...declarationOf('1', []),
        apps: [{ name: 'shop@canary', routePrefix: null, trial: of, lifts: 0, deployments: [declared('x')] }],
      });
      return merge({
        members: [{ id: 'a', state: 'up', codeVersion: '1', declaration: 'h' }],
        places: () => places,
        versions: {},
        firstSeen: new Map(),
        overrides: judged,
      }).trials;
    };
    const judged = withChange(
      NO_OVERRIDES,
      { kind: 'verdict', app: 'shop@canary', seed: 7, isPromoted: false },
      context,
    );
    expect(tried(7)).toEqual({});
    expect(tried(8)).toEqual({ shop: { kind: 'canary', app: 'shop@canary', share: 0.1, seed: 8 } });
  });

  test('a deletion holds for the code that was there; newer code and a later run() lift it', () => {
    const deleted = withChange(NO_OVERRIDES, { kind: 'delete', app: 'shop' }, context);
    expect(merged([{ version: '1', seenAt: 10 }], deleted).deployments[0]?.isDeleted).toBe(true);
    expect(merged([{ version: '2', seenAt: 11 }], deleted).deployments[0]?.isDeleted).toBe(false);
  });

  test('an instance that is being emptied is no host', () => {
    const draining = withChange(NO_OVERRIDES, { kind: 'drain', instance: 'a', isDraining: true }, context);
    const codes = [
      { version: '1', seenAt: 10 },
      { version: '1', seenAt: 10 },
    ];
    expect(merged(codes, draining).deployments[0]?.hosts).toEqual(['b']);
    const back = withChange(draining, { kind: 'drain', instance: 'a', isDraining: false }, context);
    expect(merged(codes, back).deployments[0]?.hosts).toEqual(['a', 'b']);
  });
});
