import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FRAME_SAMPLES, speechSegments } from './segments.ts';

/** A frame is 32 ms. */
function detect(frames: number[], clipLength = frames.length * FRAME_SAMPLES) {
  return speechSegments(Float32Array.from(frames), clipLength);
}

function repeat(probability: number, frames: number): number[] {
  return new Array<number>(frames).fill(probability);
}

describe('speechSegments', () => {
  it('finds nothing in silence, and nothing in nothing', () => {
    expect(detect(repeat(0.1, 100))).toEqual([]);
    expect(detect([])).toEqual([]);
  });

  it('pads speech by 30 ms on both sides, and answers the mean probability without the padding', () => {
    const [segment, ...others] = detect([
      ...repeat(0, 10),
      ...repeat(0.75, 5),
      ...repeat(1, 5),
      ...repeat(0, 10),
    ]);
    expect(others).toEqual([]);
    expect(segment).toEqual({ startMs: 10 * 32 - 30, endMs: 20 * 32 + 30, probability: 0.875 });
  });

  it('keeps the padding within the clip', () => {
    expect(detect(repeat(1, 20), 20 * FRAME_SAMPLES - 160)).toEqual([
      { startMs: 0, endMs: 630, probability: 1 },
    ]);
  });

  it('starts at 0.5 and goes on down to 0.35', () => {
    const faint = repeat(0.4, 10);
    expect(detect(faint)).toEqual([]);
    const loud = [...repeat(0, 5), 0.5, ...faint, ...repeat(0.34, 10)];
    expect(detect(loud)).toMatchObject([{ startMs: 5 * 32 - 30, endMs: 16 * 32 + 30 }]);
  });

  it('joins speech over a pause that is shorter than 100 ms', () => {
    const around = (pause: number) => detect([...repeat(1, 10), ...repeat(0, pause), ...repeat(1, 10)]);
    // Silence is seen to last 100 ms at the start of its fifth frame.
    expect(around(4)).toHaveLength(1);
    expect(around(5)).toHaveLength(2);
    const shortPauses = [
      ...repeat(1, 10),
      ...repeat(0, 3),
      ...repeat(1, 10),
      ...repeat(0, 3),
      ...repeat(1, 10),
    ];
    expect(detect(shortPauses)).toHaveLength(1);
  });

  it('drops speech of up to 250 ms', () => {
    expect(detect([...repeat(1, 7), ...repeat(0, 10)])).toEqual([]);
    expect(detect([...repeat(1, 8), ...repeat(0, 10)])).toHaveLength(1);
  });

  it('answers segments in order, apart and within the clip, whatever the model says', () => {
    const probability = fc.oneof(fc.constantFrom(0, 0.4, 1), fc.float({ min: 0, max: 1, noNaN: true }));
    const runs = fc.array(fc.tuple(probability, fc.integer({ min: 1, max: 12 })), { maxLength: 20 });
    fc.assert(
      fc.property(runs, fc.nat(FRAME_SAMPLES - 1), (parts, missing) => {
        const frames = parts.flatMap(([value, count]) => repeat(value, count));
        const clipLength = Math.max(0, frames.length * FRAME_SAMPLES - missing);
        let previousEnd = -1;
        for (const { startMs, endMs, probability: mean } of detect(frames, clipLength)) {
          expect(startMs).toBeGreaterThan(previousEnd);
          expect(endMs - startMs).toBeGreaterThan(250);
          expect(endMs).toBeLessThanOrEqual(Math.round(clipLength / 16));
          expect(mean).toBeGreaterThan(0);
          expect(mean).toBeLessThanOrEqual(1);
          previousEnd = endMs;
        }
      }),
    );
  });
});
