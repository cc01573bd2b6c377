import { describe, expect, test } from 'vitest';
import { share } from '../test/support/long-run.ts';
import { isMet, type Measured } from './scenario.ts';
import { SCENARIOS } from './scenarios.ts';

/** A share of the full run: some seconds for all scenarios together. */
const SCALE = 0.05;

/** They take two thirds of the time. */
const LONG: readonly string[] = ['goodput', 'adaptive', 'step'];
const ALL = SCENARIOS.toSorted((a, b) => Number(LONG.includes(a.name)) - Number(LONG.includes(b.name)));

describe('scheduling in virtual time', () => {
  test.each(share(ALL.length - LONG.length, ALL).map((scenario) => [scenario.name, scenario] as const))(
    '%s',
    async (_name, scenario) => {
      const { measured, details } = await scenario.run({ seed: 2, scale: SCALE });
      const missed = measured.filter((one) => !isMet(one));
      expect(missed, details.join('\n')).toEqual([]);
    },
  );

  test('the same seed gives the same numbers, another one others', async () => {
    const run = async (seed: number): Promise<readonly Measured[]> => {
      const goodput = SCENARIOS.find(({ name }) => name === 'sessions');
      return (await goodput?.run({ seed, scale: SCALE }))?.measured ?? [];
    };
    const first = await run(7);
    expect(await run(7)).toEqual(first);
    expect(await run(8)).not.toEqual(first);
  });
});
