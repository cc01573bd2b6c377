import { type Build, buildsOf, type OtherBuild } from '../harness/builds.ts';
import { Child } from '../harness/child.ts';
import type { Contender } from '../harness/rounds.ts';
import type { Metrics } from '../harness/samples.ts';
import type { Cell, MeasureRequest } from './cell.ts';

const CHILD = new URL('./child.ts', import.meta.url);
const START_TIMEOUT_MS = 60_000;
/** The contender that there may be two builds of. */
const INSERVE = 'inserve';

/**
 * Who is measured in a cell.
 * @param stepsPerMs steps of `compute` in a millisecond
 * @param only parts of `contender/cell`, separated by commas
 */
export function contendersOf(
  cell: Cell,
  stepsPerMs: number,
  ms: number,
  only: string,
  against: OtherBuild | undefined,
): Contender[] {
  const parts = only.split(',');
  return Object.keys(cell.contenders)
    .filter((name) => parts.some((part) => `${name}/${cell.name}`.includes(part)))
    .flatMap((name) => {
      const builds = name === INSERVE ? buildsOf(against) : [{ suffix: '' }];
      return builds.map((build) => contender(cell, name, build, stepsPerMs, ms));
    });
}

function contender(
  cell: Cell,
  name: string,
  { suffix, root }: Build,
  stepsPerMs: number,
  ms: number,
): Contender {
  let round = 0;
  return {
    name: `${name}${suffix}`,
    cells: [cell.name],
    start: async () => {
      // Every contender is started once in each round, so they agree on it.
      const seed = ++round;
      const args = [cell.name, name, String(stepsPerMs)];
      const child = await Child.start<MeasureRequest, Metrics>(name, CHILD, args, START_TIMEOUT_MS, root);
      return {
        measure: () => child.ask({ ms, seed }, cell.timeoutMs(ms)),
        stop: () => child.stop(),
      };
    },
  };
}
