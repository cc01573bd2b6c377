import { createRequire } from 'node:module';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type DetectedSegment, FRAME_SAMPLES, SAMPLE_RATE, speechSegments } from './segments.ts';

const require = createRequire(import.meta.url);

/** Silero VAD v5, as shipped in the npm package of vad-web. */
export const MODEL_FILE = require.resolve('@ricky0123/vad-web/dist/silero_vad_v5.onnx');

// Each frame is preceded by the end of the one before it, as in `OnnxWrapper` of silero-vad's utils_vad.py.
// The model also runs without, and is wrong: on the fixtures speech ends 160 to 210 ms late, not 30 to 90.
const CONTEXT_SAMPLES = 64;
const STATE_SHAPE = [2, 1, 128];

/** Tells where in a clip somebody speaks. Every clip has its own recurrent state: several may run at once. */
export class VoiceActivityDetector {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async load(modelFile: string): Promise<VoiceActivityDetector> {
    // A frame is 0.1 ms of work: threads inside of it only get in the way, replicas make use of the cores.
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
    return new VoiceActivityDetector(await InferenceSession.create(modelFile, options));
  }

  /** `clip`: one channel at 16 kHz. Rejects with the signal's reason soon after it is aborted. */
  async detect(clip: Float32Array, signal?: AbortSignal): Promise<DetectedSegment[]> {
    return speechSegments(await this.probabilities(clip, signal), clip.length);
  }

  /** The probability of speech in each frame of 512 samples; the last frame is filled up with silence. */
  async probabilities(clip: Float32Array, signal?: AbortSignal): Promise<Float32Array> {
    const sampleRate = new Tensor('int64', BigInt64Array.of(BigInt(SAMPLE_RATE)), []);
    const window = new Float32Array(CONTEXT_SAMPLES + FRAME_SAMPLES);
    const input = new Tensor('float32', window, [1, window.length]);
    let state = new Tensor('float32', new Float32Array(2 * 128), STATE_SHAPE);
    const probabilities = new Float32Array(Math.ceil(clip.length / FRAME_SAMPLES));
    for (let frame = 0; frame < probabilities.length; frame++) {
      signal?.throwIfAborted();
      window.copyWithin(0, FRAME_SAMPLES);
      window.fill(0, CONTEXT_SAMPLES);
      window.set(clip.subarray(frame * FRAME_SAMPLES, (frame + 1) * FRAME_SAMPLES), CONTEXT_SAMPLES);
      const { output, stateN } = await this.#session.run({ input, state, sr: sampleRate });
      probabilities[frame] = (output as Tensor).data[0] as number;
      state = stateN as typeof state;
    }
    return probabilities;
  }

  async release(): Promise<void> {
    await this.#session.release();
  }
}
