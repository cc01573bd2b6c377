/** What the model hears: 32 ms frames at 16 kHz. */
export const SAMPLE_RATE = 16_000;
export const FRAME_SAMPLES = 512;

/** Times from the start of the clip; `probability` is the mean over the frames within, padding excluded. */
export type DetectedSegment = { startMs: number; endMs: number; probability: number };

type Span = { start: number; end: number };

const THRESHOLD = 0.5;
const NEG_THRESHOLD = THRESHOLD - 0.15;
const MIN_SPEECH = samples(250);
const MIN_SILENCE = samples(100);
const SPEECH_PAD = samples(30);

/**
 * Turns the probabilities of a clip's frames into segments of speech, by the rules and defaults of
 * `get_speech_timestamps` in https://github.com/snakers4/silero-vad (src/silero_vad/utils_vad.py):
 * speech starts at 0.5 and ends where it stays below 0.35 for 100 ms; up to 250 ms of it is dropped as noise.
 */
export function speechSegments(probabilities: Float32Array, clipLength: number): DetectedSegment[] {
  return findSpans(probabilities, clipLength)
    .filter(({ start, end }) => end - start > MIN_SPEECH)
    .map(({ start, end }) => ({
      // Neighbours are at least MIN_SILENCE apart, so their padding never meets.
      startMs: milliseconds(Math.max(0, start - SPEECH_PAD)),
      endMs: milliseconds(Math.min(clipLength, end + SPEECH_PAD)),
      probability: meanProbability(probabilities, { start, end }),
    }));
}

function findSpans(probabilities: Float32Array, clipLength: number): Span[] {
  const spans: Span[] = [];
  let start: number | undefined;
  let silentFrom: number | undefined; // where the current span ends, if this silence lasts
  probabilities.forEach((probability, frame) => {
    const now = frame * FRAME_SAMPLES;
    if (probability >= THRESHOLD) {
      start ??= now;
      silentFrom = undefined;
    } else if (start !== undefined && probability < NEG_THRESHOLD) {
      silentFrom ??= now;
      if (now - silentFrom >= MIN_SILENCE) {
        spans.push({ start, end: silentFrom });
        start = silentFrom = undefined;
      }
    }
  });
  if (start !== undefined) spans.push({ start, end: clipLength });
  return spans;
}

function meanProbability(probabilities: Float32Array, { start, end }: Span): number {
  const frames = probabilities.subarray(start / FRAME_SAMPLES, Math.ceil(end / FRAME_SAMPLES));
  const mean = frames.reduce((sum, probability) => sum + probability, 0) / frames.length;
  return Math.round(mean * 10_000) / 10_000;
}

function samples(ms: number): number {
  return (ms / 1_000) * SAMPLE_RATE;
}

function milliseconds(sampleCount: number): number {
  return Math.round((sampleCount / SAMPLE_RATE) * 1_000);
}
