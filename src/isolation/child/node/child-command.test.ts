import { expect, test } from 'vitest';
import { childFlags } from './child-command.ts';

test('flags for the host alone stay there, with the values behind them', () => {
  const flags = [
    '--cpu-prof-interval',
    '100',
    '--import',
    './own.mjs',
    '--inspect=0',
    '--enable-source-maps',
  ];
  expect(childFlags(flags, {})).toEqual(['--import', './own.mjs', '--enable-source-maps']);
});

test('limits of the heap become flags', () => {
  const limits = { maxOldGenerationSizeMb: 99.5, maxYoungGenerationSizeMb: 48, stackSizeMb: 2 };
  expect(childFlags([], limits)).toEqual([
    '--max-old-space-size=100',
    '--max-semi-space-size=16',
    '--stack-size=2048',
  ]);
});
