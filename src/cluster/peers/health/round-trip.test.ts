import { expect, test } from 'vitest';
import { RoundTrip } from './round-trip.ts';

/** A link whose pongs come after given times. */
function measured(): { trip: RoundTrip; answer(ms: number): void; readonly pings: number[] } {
  let at = 0;
  const pings: number[] = [];
  const trip = new RoundTrip(
    (number) => pings.push(number),
    () => at,
  );
  return {
    trip,
    pings,
    answer(ms) {
      at += ms;
      trip.pong(pings.at(-1) as number);
    },
  };
}

test('the shortest of the first three measurements counts, which follow each other', () => {
  const { trip, pings, answer } = measured();
  answer(300);
  answer(8);
  expect(trip.halfMs).toBe(0);
  answer(10);
  expect(trip.halfMs).toBe(4);
  expect(pings).toEqual([-1, -2, -3]);
});

test('a way that becomes longer is noticed once the last eight measurements say so', () => {
  const { trip, answer } = measured();
  for (const _ of [1, 2, 3]) answer(2);
  for (let more = 0; more < 7; more++) {
    trip.measure();
    answer(100);
    expect(trip.halfMs).toBe(1);
  }
  trip.measure();
  answer(100);
  expect(trip.halfMs).toBe(50);
});

test('an answer to another ping says nothing, and one ping is open at a time', () => {
  const { trip, pings } = measured();
  trip.pong(1);
  trip.measure();
  expect(pings).toEqual([-1]);
  expect(trip.halfMs).toBe(0);
});
