import { describe, expect, test } from 'vitest';
import { PeakLatency } from './peak-latency.ts';

/** The median of the other replicas, in ms. */
const MEDIAN_MS = 10;

describe('the latency of a replica', () => {
  test('is that of the others while nothing is known of it', () => {
    const latency = new PeakLatency();
    expect([latency.ms, latency.isKnown]).toEqual([0, false]);
    latency.fade(0, MEDIAN_MS);
    expect([latency.ms, latency.isKnown]).toEqual([MEDIAN_MS, false]);
    latency.fade(50, 20);
    expect(latency.ms).toBe(20);
    latency.observe(3, 60);
    expect([latency.ms, latency.isKnown]).toEqual([3, true]);
  });

  test('rises by a quarter with each slow answer, and falls with quick ones in time rather than in calls', () => {
    const [rare, frequent] = [new PeakLatency(), new PeakLatency()];
    for (const latency of [rare, frequent]) {
      latency.observe(25, 0);
      latency.observe(85, 1);
      expect(latency.ms).toBe(40);
      latency.observe(100, 1);
      expect(latency.ms).toBe(55);
    }
    for (let at = 21; at <= 2_001; at += 20) rare.observe(5, at);
    for (let at = 2; at <= 2_001; at++) frequent.observe(5, at);
    for (const { ms } of [rare, frequent]) expect(ms).toBeCloseTo(5 + 50 / Math.E, 0);
  });

  test('jumps to what takes more than four times as long', () => {
    const latency = new PeakLatency();
    latency.observe(10, 0);
    latency.observe(41, 1);
    expect(latency.ms).toBe(41);
    latency.observeAtLeast(1_500, 2);
    expect(latency.ms).toBe(1_500);
  });

  test('is not changed by more than a quarter by one quick answer, however long there was none', () => {
    const latency = new PeakLatency();
    latency.observe(40, 0);
    latency.observe(0, 60_000);
    expect(latency.ms).toBe(30);
  });

  test('no answer that must have been slower than that brings it down', () => {
    const latency = new PeakLatency();
    latency.observe(50, 0);
    latency.observeAtLeast(30, 10);
    expect(latency.ms).toBe(50);
    latency.observeAtLeast(90, 20);
    expect(latency.ms).toBe(60);
  });

  test.each([100, 1_500, 60_000])(
    'a replica that took %d ms once and is not called is as good as the others in the end',
    (slow) => {
      const latency = new PeakLatency();
      latency.observe(slow, 0);
      const end = 3_000 + 2 * slow;
      let before = Infinity;
      for (let at = 50; at < end; at += 50) {
        latency.fade(at, MEDIAN_MS);
        expect(latency.ms).toBeLessThan(before);
        expect(latency.ms).toBeGreaterThan(MEDIAN_MS);
        before = latency.ms;
      }
      latency.fade(end, MEDIAN_MS);
      expect(latency.ms).toBe(MEDIAN_MS);
    },
  );

  test('looking more often does not make it fade sooner', () => {
    const [often, once] = [new PeakLatency(), new PeakLatency()];
    for (const latency of [often, once]) latency.observe(400, 0);
    for (let at = 1; at <= 3_000; at++) often.fade(at, MEDIAN_MS);
    once.fade(3_000, MEDIAN_MS);
    expect(often.ms).toBe(once.ms);
  });
});
