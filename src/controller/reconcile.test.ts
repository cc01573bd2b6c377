import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type DesiredReplicas, type ObservedReplica, reconcile } from './reconcile.ts';

const DESIRED: DesiredReplicas = {
  fingerprint: 'b',
  target: 2,
  maxSurge: 0.25,
  maxUnavailable: 0,
  isHeld: false,
  isOnTrial: false,
  isCramped: false,
};

function replicas(fingerprint: string, count: number, isRunning = true): ObservedReplica[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${fingerprint}${isRunning ? '' : 's'}${index}`,
    fingerprint,
    isRunning,
    startedAt: index,
    ongoing: 0,
  }));
}

const starts = (count: number): object[] => Array.from({ length: count }, () => ({ type: 'start' }));
const stops = (...ids: string[]): object[] => ids.map((id) => ({ type: 'stop', id }));

describe('reconcile', () => {
  test.each<[string, Partial<DesiredReplicas>, ObservedReplica[], object[]]>([
    ['nothing there: all at once', { target: 3 }, [], starts(3)],
    ['as it should be', {}, replicas('b', 2), []],
    ['one is missing', {}, replicas('b', 1), starts(1)],
    ['held back', { isHeld: true }, [], []],
    ['scale-down: the newest goes', {}, replicas('b', 3), stops('b2')],
    [
      'scale-down: of those that run the one with the least to finish goes',
      {},
      replicas('b', 3).map((replica, index) => ({ ...replica, ongoing: index === 1 ? 2 : 5 })),
      stops('b1'),
    ],
    [
      'scale-down: who does not run yet goes first',
      {},
      [...replicas('b', 2), ...replicas('b', 1, false)],
      stops('bs0'),
    ],
    ['to zero', { target: 0 }, replicas('b', 2), stops('b1', 'b0')],
    ['update: surge first', {}, replicas('a', 2), starts(1)],
    ['update: wait for the new one', {}, [...replicas('a', 2), ...replicas('b', 1, false)], []],
    ['update: then the oldest goes', {}, [...replicas('a', 2), ...replicas('b', 1)], stops('a0')],
    [
      'update: an old one that only starts goes at once',
      { isHeld: true },
      replicas('a', 1, false),
      stops('as0'),
    ],
    ['update without room: none may go', { isCramped: true }, replicas('a', 2), starts(1)],
    [
      'update without room: one goes, though none has proved itself',
      { isCramped: true, isOnTrial: true, maxUnavailable: 1 },
      replicas('a', 2),
      [...starts(1), ...stops('a0')],
    ],
    [
      'update without room: even the last one, if that is allowed',
      { isCramped: true, target: 1, maxUnavailable: 1 },
      replicas('a', 1),
      [...starts(1), ...stops('a0')],
    ],
    ['update with room: never the last one', { target: 1, maxUnavailable: 1 }, replicas('a', 1), starts(1)],
    ['update: a single replica has no dip', { target: 1 }, replicas('a', 1), starts(1)],
    [
      'update with room below',
      { maxUnavailable: 0.5, maxSurge: 0 },
      replicas('a', 2),
      [...starts(1), ...stops('a0')],
    ],
    [
      'update: none goes while the new one is on trial',
      { isOnTrial: true, target: 2 },
      [...replicas('a', 2), ...replicas('b', 1)],
      [],
    ],
    [
      'update and scale-down: the new one has to be tried all the same',
      { isOnTrial: true, target: 1 },
      replicas('a', 3),
      starts(1),
    ],
    ['update to zero', { target: 0 }, replicas('a', 2), stops('a0', 'a1')],
  ])('%s', (_name, desired, observed, actions) => {
    expect(reconcile({ ...DESIRED, ...desired }, observed)).toEqual(actions);
  });

  const world = fc.record({
    target: fc.nat(12),
    maxSurge: fc.double({ min: 0, max: 1, noNaN: true }),
    maxUnavailable: fc.double({ min: 0, max: 1, noNaN: true }),
    old: fc.nat(12),
    oldStarting: fc.nat(3),
    current: fc.nat(12),
    /** Which of the starting replicas becomes ready next. */
    luck: fc.array(fc.nat(50), { minLength: 200, maxLength: 200 }),
  });

  test('reaches its target from anywhere, within surge and floor at every step, and then rests', () => {
    fc.assert(
      fc.property(world, ({ target, maxSurge, maxUnavailable, old, oldStarting, current, luck }) => {
        const desired = { ...DESIRED, target, maxSurge, maxUnavailable };
        let observed = [
          ...replicas('a', old),
          ...replicas('a', oldStarting, false),
          ...replicas('b', current),
        ];
        const running = (): number => observed.filter(({ isRunning }) => isRunning).length;
        const floor = Math.min(
          running(),
          target === 0 ? 0 : Math.max(1, Math.ceil(target * (1 - maxUnavailable))),
        );
        const ceiling = Math.max(observed.length, target + Math.max(1, Math.ceil(target * maxSurge)));
        let started = 0;
        for (const pick of luck) {
          for (
            let actions = reconcile(desired, observed);
            actions.length > 0;
            actions = reconcile(desired, observed)
          ) {
            for (const action of actions) {
              if (action.type === 'stop') observed = observed.filter(({ id }) => id !== action.id);
              else
                observed.push({
                  id: `n${started}`,
                  fingerprint: 'b',
                  isRunning: false,
                  startedAt: 100 + started++,
                  ongoing: 0,
                });
            }
            expect(running()).toBeGreaterThanOrEqual(floor);
            expect(observed.length).toBeLessThanOrEqual(ceiling);
          }
          const starting = observed.filter(({ isRunning }) => !isRunning);
          const ready = starting[pick % Math.max(1, starting.length)];
          if (ready === undefined) break;
          observed = observed.map((replica) => (replica === ready ? { ...ready, isRunning: true } : replica));
        }
        expect(observed.map(({ fingerprint, isRunning }) => [fingerprint, isRunning])).toEqual(
          Array.from({ length: target }, () => ['b', true]),
        );
      }),
      { seed: 2, numRuns: 500 },
    );
  });
});
