import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resample } from './resample.ts';
import { type DetectedSegment, FRAME_SAMPLES, SAMPLE_RATE } from './segments.ts';
import { MODEL_FILE, VoiceActivityDetector } from './vad.ts';
import { decodeWav, type Recording } from './wav.ts';

type Known = {
  tolerance: { spokenMs: number; segmentsMs: number; probability: number };
  channels: { spoken: { startMs: number; endMs: number }[]; segments: DetectedSegment[] }[];
};

let vad: VoiceActivityDetector;
beforeAll(async () => {
  vad = await VoiceActivityDetector.load(MODEL_FILE);
});
afterAll(async () => {
  await vad.release();
});

describe.each(['two-utterances', 'left-only'])('in %s.wav', (name) => {
  const { sampleRate, channels } = recording(name);
  const known = JSON.parse(read(`${name}.segments.json`).toString()) as Known;
  const { spokenMs, segmentsMs, probability } = known.tolerance;

  it('finds the speech where it was put, and no other', async () => {
    for (const [index, found] of (await detectAll(channels, sampleRate)).entries()) {
      expectTimes(found, known.channels[index]!.spoken, spokenMs);
    }
  });

  it('answers what it answered before', async () => {
    for (const [index, found] of (await detectAll(channels, sampleRate)).entries()) {
      const expected = known.channels[index]!.segments;
      expectTimes(found, expected, segmentsMs);
      found.forEach((segment, at) => {
        expect(Math.abs(segment.probability - expected[at]!.probability)).toBeLessThanOrEqual(probability);
      });
    }
  });

  it.each([8_000, 44_100, 48_000])('finds it in a recording of %i Hz', async (rate) => {
    const rerecorded = channels.map((samples) => resample(samples, sampleRate, rate));
    for (const [index, found] of (await detectAll(rerecorded, rate)).entries()) {
      expectTimes(found, known.channels[index]!.spoken, spokenMs);
    }
  });
});

describe('a detector', () => {
  it('hears nothing in silence, and nothing in nothing', async () => {
    expect(await vad.detect(new Float32Array(SAMPLE_RATE))).toEqual([]);
    expect(await vad.detect(new Float32Array(0))).toEqual([]);
  });

  it('fills up the last frame with silence', async () => {
    const { channels } = recording('left-only');
    const clip = channels[0]!.subarray(0, SAMPLE_RATE + 1); // 31 frames and a quarter, within the voice
    const filledUp = new Float32Array(32 * FRAME_SAMPLES);
    filledUp.set(clip);
    const probabilities = await vad.probabilities(clip);
    expect(probabilities).toHaveLength(32);
    expect(probabilities).toEqual(await vad.probabilities(filledUp));
  });

  it('keeps clips apart that are under way at once', async () => {
    const { sampleRate, channels } = recording('two-utterances');
    const clip = resample(channels[0]!, sampleRate, SAMPLE_RATE);
    const clips = [clip, clip.subarray(SAMPLE_RATE), new Float32Array(SAMPLE_RATE), clip.toReversed()];
    const together = await Promise.all(clips.map((each) => vad.detect(each)));
    for (const [index, each] of clips.entries()) expect(together[index]).toEqual(await vad.detect(each));
  });

  it('stops within a clip when the signal is aborted', async () => {
    const controller = new AbortController();
    let frames = 0;
    const tenMinutes = Object.assign(new Float32Array(SAMPLE_RATE * 600), {
      subarray(begin?: number, end?: number) {
        if (++frames === 20) setImmediate(() => controller.abort(new Error('the client has gone')));
        return Float32Array.prototype.subarray.call(this, begin, end);
      },
    });
    await expect(vad.detect(tenMinutes, controller.signal)).rejects.toThrow('the client has gone');
    expect(frames).toBeLessThan(tenMinutes.length / FRAME_SAMPLES / 10);
  });
});

function detectAll(channels: Float32Array[], sampleRate: number): Promise<DetectedSegment[][]> {
  return Promise.all(channels.map((samples) => vad.detect(resample(samples, sampleRate, SAMPLE_RATE))));
}

function expectTimes(
  found: DetectedSegment[],
  expected: { startMs: number; endMs: number }[],
  toleranceMs: number,
): void {
  expect(found).toHaveLength(expected.length);
  found.forEach(({ startMs, endMs }, index) => {
    expect(Math.abs(startMs - expected[index]!.startMs)).toBeLessThanOrEqual(toleranceMs);
    expect(Math.abs(endMs - expected[index]!.endMs)).toBeLessThanOrEqual(toleranceMs);
  });
}

function recording(name: string): Recording {
  return decodeWav(read(`${name}.wav`));
}

function read(file: string): Buffer {
  return readFileSync(new URL(`fixtures/${file}`, import.meta.url));
}
