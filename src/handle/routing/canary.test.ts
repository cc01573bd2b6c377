import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { unitHash } from '../../load/hash.ts';
import type { Call } from '../call/call.ts';
import { Canary, seededRandom } from './canary.ts';
import type { Route } from './route.ts';
import type { TrafficSplitConfig } from './traffic-split.ts';
import { TrialRoute } from './trial-route.ts';

const CONFIG: TrafficSplitConfig = { kind: 'canary', app: 'app@canary', share: 0.1, seed: 7 };

/** What a canary looks at. */
const routeOf = (isOpen: boolean, queued = 0): Route => ({ isOpen, queued }) as Route;
const callOf = (sessionId?: string): Call => ({ meta: sessionId && { sessionId } }) as unknown as Call;

function taken(canary: Canary, calls: Iterable<Call>): number {
  let count = 0;
  for (const call of calls) if (canary.divert(call) !== undefined) count++;
  return count;
}

const anonymous = Array.from({ length: 20_000 }, () => callOf());
const sessions = Array.from({ length: 20_000 }, (_, index) => callOf(`user-${index}`));

describe('a canary', () => {
  test.each([0, 0.01, 0.1, 0.5, 1])('takes a share of %d, of calls and of sessions', (share) => {
    const canary = () => new Canary(new TrialRoute(() => routeOf(true)), { ...CONFIG, share });
    const error = 4 * Math.sqrt((share * (1 - share)) / 20_000);
    expect(Math.abs(taken(canary(), anonymous) / 20_000 - share)).toBeLessThanOrEqual(error);
    expect(Math.abs(taken(canary(), sessions) / 20_000 - share)).toBeLessThanOrEqual(error);
  });

  test('keeps a session, and all it had when its share grows', () => {
    const [small, big] = [0.1, 0.4].map(
      (share) => new Canary(new TrialRoute(() => routeOf(true)), { ...CONFIG, share }),
    );
    for (const session of sessions.slice(0, 2_000)) {
      const first = small?.divert(session);
      expect(small?.divert(session)).toBe(first);
      if (first !== undefined) expect(big?.divert(session)).toBeDefined();
    }
  });

  test('draws the same calls for the same seed', () => {
    const draws = (seed: number) => {
      const canary = new Canary(new TrialRoute(() => routeOf(true)), { ...CONFIG, seed });
      return anonymous.slice(0, 500).map((call) => canary.divert(call) !== undefined);
    };
    expect(draws(7)).toEqual(draws(7));
    expect(draws(7)).not.toEqual(draws(8));
  });

  test('takes nothing while it has no replica, and makes nobody wait but its sessions', () => {
    expect(
      taken(new Canary(new TrialRoute(() => routeOf(false)), { ...CONFIG, share: 1 }), [
        ...anonymous,
        ...sessions,
      ]),
    ).toBe(0);
    const busy = new Canary(new TrialRoute(() => routeOf(true, 1)), { ...CONFIG, share: 1 });
    expect(taken(busy, anonymous)).toBe(0);
    expect(taken(busy, sessions)).toBe(20_000);
  });
});

test('hashes and draws lie in [0, 1)', () => {
  fc.assert(
    fc.property(fc.string(), fc.integer(), (text, seed) => {
      for (const value of [unitHash(text), seededRandom(seed)()]) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThan(1);
      }
    }),
  );
});
