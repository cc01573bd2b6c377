import type { Marks } from '../values/marks.ts';

/** The outcome of a call at one replica, as it crossed: the result, or the error. */
export interface FanOutcome {
  readonly isOk: boolean;
  readonly value: unknown;
  readonly marks: Marks | undefined;
}

/** Packs the outcomes of all replicas of an instance into a list: for each, whether it succeeded, then its value. */
export function packOutcomes(outcomes: Iterable<FanOutcome>): { value: unknown[]; marks: Marks | undefined } {
  const value: unknown[] = [];
  let marks: Marks | undefined;
  for (const outcome of outcomes) {
    value.push(outcome.isOk, outcome.value);
    if (outcome.marks === undefined) continue;
    marks ??= [];
    for (const mark of outcome.marks) marks.push(mark);
  }
  return { value, marks };
}

/** Reads the result of a call to all replicas of an instance as it crossed, with the marks of all outcomes at the first one. */
export function rawOutcomesOf(result: unknown, marks: Marks | undefined): FanOutcome[] {
  if (!Array.isArray(result)) throw new TypeError('a broadcast was answered in an unknown form');
  return Array.from({ length: result.length / 2 }, (_, index) => ({
    isOk: result[index * 2] === true,
    value: result[index * 2 + 1] as unknown,
    marks: index === 0 ? marks : undefined,
  }));
}

/** Reads the result of a call to all replicas of an instance. */
export function outcomesOf(result: unknown): PromiseSettledResult<unknown>[] {
  if (!Array.isArray(result)) throw new TypeError('a broadcast was answered in an unknown form');
  const outcomes: PromiseSettledResult<unknown>[] = [];
  for (let at = 0; at < result.length; at += 2) {
    const item: unknown = result[at + 1];
    outcomes.push(
      result[at] === true ? { status: 'fulfilled', value: item } : { status: 'rejected', reason: item },
    );
  }
  return outcomes;
}
