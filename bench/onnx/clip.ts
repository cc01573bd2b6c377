import { seededRandom } from '../harness/random.ts';

const SAMPLE_RATE = 16_000;
const SECONDS = 10;

/** Ten seconds of something like speech: bursts of a voiced sound with noise, and pauses. */
export function clip(): Float32Array {
  const random = seededRandom(7);
  return Float32Array.from({ length: SECONDS * SAMPLE_RATE }, (_, index) => {
    const seconds = index / SAMPLE_RATE;
    const loudness = seconds % 1 < 0.6 ? 0.3 : 0.01;
    return loudness * (Math.sin(2 * Math.PI * 140 * seconds) + 0.4 * (random() - 0.5));
  });
}
