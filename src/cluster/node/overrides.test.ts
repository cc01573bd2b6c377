import { describe, expect, test } from 'vitest';
import { NO_OVERRIDES, type Overrides } from '../documents.ts';
import { type ChangeContext, type ConfigOrder, withChange } from './overrides.ts';

/** Versions 1 and 2 of the code were first seen at 10 and 20. */
const OLD: ChangeContext = {
  by: 'old',
  at: 0,
  newestVersionAt: 20,
  ownVersionAt: 10,
  liveVersionsAt: [10, 20],
  format: 1,
};
const NEW: ChangeContext = { ...OLD, by: 'new', ownVersionAt: 20 };

function deployed(
  overrides: Overrides,
  context: ChangeContext,
  userConfig: number,
  more: Partial<ConfigOrder> = {},
): Overrides {
  const configs = { 'shop/x': { options: { userConfig }, counts: {} } };
  const order = { apps: ['shop'], configs, deleted: [], percent: undefined, isSameApps: true, ...more };
  return withChange(overrides, { kind: 'deploy', ...order }, context);
}

const optionsOf = ({ configs }: Overrides) => configs['shop/x']?.options;

describe('a config in the overrides', () => {
  test('replaces the one before; the same again changes nothing', () => {
    const one = deployed(NO_OVERRIDES, OLD, 1);
    expect([optionsOf(one), one.generation, one.by]).toEqual([{ userConfig: 1 }, 1, 'old']);
    expect(deployed(one, NEW, 1)).toBe(one);
    expect(optionsOf(deployed(one, OLD, 2))).toEqual({ userConfig: 2 });
    expect(optionsOf(deployed(one, OLD, 2, { configs: {} }))).toBeUndefined();
    expect(optionsOf(deployed(one, OLD, 2, { apps: ['other'], configs: {} }))).toEqual({ userConfig: 1 });
  });

  test('by newer code is not replaced by an instance of older code that starts again', () => {
    const newer = deployed(deployed(NO_OVERRIDES, OLD, 1), NEW, 2);
    expect(optionsOf(newer)).toEqual({ userConfig: 2 });
    expect(deployed(newer, OLD, 1)).toBe(newer);
    expect(deployed(newer, OLD, 1, { configs: {} })).toBe(newer);
    // The servers were rolled back: nobody runs the newer code any more.
    const back = { ...OLD, newestVersionAt: 10, liveVersionsAt: [10] };
    expect(optionsOf(deployed(newer, back, 1))).toEqual({ userConfig: 1 });
  });

  test('keeps the target capacity that it repeats, and deletes the apps that it leaves out', () => {
    const half = deployed(NO_OVERRIDES, OLD, 1, { percent: 50, isSameApps: false });
    expect(half.capacity).toEqual({ percent: 50, direction: 'up' });
    const less = deployed(half, OLD, 1, { percent: 20 });
    expect(less.capacity).toEqual({ percent: 20, direction: 'down' });
    // An instance that starts knows no config before.
    expect(deployed(less, OLD, 1, { percent: 20, isSameApps: false })).toBe(less);
    const without = deployed(less, OLD, 1, { percent: 20, deleted: ['gone'] });
    expect(without.tombstones).toEqual({ gone: { generation: 3, versionAt: 20 } });
  });
});
