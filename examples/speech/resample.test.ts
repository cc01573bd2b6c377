import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resample } from './resample.ts';

const RATES = [8_000, 11_025, 22_050, 32_000, 44_100, 48_000, 96_000];

describe('resample', () => {
  it('leaves the clip alone when the rate is right', () => {
    const clip = Float32Array.of(0.1, -0.2);
    expect(resample(clip, 16_000, 16_000)).toBe(clip);
  });

  it.each(RATES)('keeps a voice at its place and level, from %i Hz', (rate) => {
    const heard = resample(tone(1_000, rate), rate, 16_000);
    const expected = tone(1_000, 16_000);
    expect(heard.length).toBe(expected.length);
    const error = heard.map((x, index) => x - expected[index]!);
    expect(decibels(middle(error)) - decibels(middle(expected))).toBeLessThan(-60);
  });

  it.each([32_000, 44_100, 48_000, 96_000])(
    'passes 6.2 kHz and not what folds back into it, from %i Hz',
    (rate) => {
      const level = (hertz: number) => decibels(middle(resample(tone(hertz, rate), rate, 16_000)));
      const full = decibels(middle(tone(1_000, 16_000)));
      expect(level(6_200)).toBeGreaterThan(full - 1);
      for (const hertz of [8_100, 9_800, 12_000, 15_000]) expect(level(hertz)).toBeLessThan(full - 57);
    },
  );

  it('keeps constants constant, at any pair of rates', () => {
    const rate = fc.integer({ min: 4_000, max: 50_000 });
    fc.assert(
      fc.property(rate, rate, fc.float({ min: -1, max: 1, noNaN: true }), (from, to, level) => {
        const seconds = 200 / Math.min(from, to);
        const output = resample(new Float32Array(Math.ceil(seconds * from)).fill(level), from, to);
        for (const x of middle(output)) expect(x).toBeCloseTo(level, 4);
      }),
      { numRuns: 50 },
    );
  });

  it('makes clips of the right length, also of no or one sample', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.constantFrom(...RATES), (length, rate) => {
        const output = resample(new Float32Array(length), rate, 16_000);
        expect(output.length).toBe(Math.round((length * 16_000) / rate));
      }),
    );
  });
});

/** 200 ms, of amplitude 0.5. */
function tone(hertz: number, rate: number): Float32Array {
  const length = Math.round(rate / 5);
  return new Float32Array(length).map((_, index) => 0.5 * Math.sin((2 * Math.PI * hertz * index) / rate));
}

/** Without the ends, where the filter meets the silence around the clip. */
function middle(clip: Float32Array): Float32Array {
  return clip.subarray(clip.length * 0.25, clip.length * 0.75);
}

function decibels(clip: Float32Array): number {
  return 10 * Math.log10(clip.reduce((sum, x) => sum + x * x, 0) / clip.length);
}
