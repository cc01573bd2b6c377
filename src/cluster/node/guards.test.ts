import { describe, expect, test } from 'vitest';
import type { Plan } from '../documents.ts';
import { judge, keepLast } from './guards.ts';

function plan(number: number, counts: Plan['counts'], options: Partial<Plan> = {}): Plan {
  return {
    format: 1,
    number,
    token: 10,
    owner: 'a#1',
    generation: 0,
    previousTotal: 0,
    instances: ['a', 'b'],
    counts,
    ending: [],
    shares: {},
    ...options,
  };
}

describe('a receiver', () => {
  const current = plan(5, { x: [4, 4], y: [1, 1] });

  test('refuses a token below the highest it has seen, and plans that are not newer', () => {
    expect(judge(plan(6, current.counts), current, 11)).toMatchObject({ isObeyed: false });
    expect(judge(plan(5, current.counts), current, 10)).toMatchObject({ isObeyed: false });
    expect(judge(plan(4, current.counts, { token: 11 }), current, 10)).toEqual({ isObeyed: true });
    expect(judge(plan(6, current.counts), current, 10)).toEqual({ isObeyed: true });
  });

  test('refuses a plan that removes more than half of the replicas at once', () => {
    expect(judge(plan(6, { x: [2, 2], y: [1, 0] }), current, 10)).toEqual({ isObeyed: true });
    expect(judge(plan(6, { x: [2, 2], y: [0, 0] }), current, 10)).toMatchObject({
      reason: 'the plan removes 6 of 10 replicas at once, more than 5',
    });
  });

  test('does not count the replicas of an instance that is gone', () => {
    const alone = plan(6, { x: [4], y: [1] }, { instances: ['a'] });
    expect(judge(alone, current, 10)).toEqual({ isObeyed: true });
  });

  test('who missed plans judges by what the plan says was before it', () => {
    const later = plan(9, { x: [1, 1], y: [0, 0] }, { previousTotal: 4 });
    expect(judge(later, current, 10)).toEqual({ isObeyed: true });
    expect(judge({ ...later, previousTotal: 10 }, current, 10)).toMatchObject({ isObeyed: false });
  });

  test('keeps the last replica that anybody can see, unless none is wanted', () => {
    const last = { deployment: 'x', planned: 0, running: 2, elsewhere: 0 };
    expect(keepLast(last, current)).toBe(1);
    expect(keepLast({ ...last, elsewhere: 1 }, current)).toBe(0);
    expect(keepLast({ ...last, running: 0 }, current)).toBe(0);
    expect(keepLast(last, plan(6, {}, { ending: ['x'] }))).toBe(0);
  });
});
