import { deployment } from 'inserve';
import { MODEL_FILE, VoiceActivityDetector } from '../../examples/speech/vad.ts';

/** As in the example: a session of its own for each replica, one thread inside of it. */
export class Vad {
  readonly #detector: VoiceActivityDetector;

  private constructor(detector: VoiceActivityDetector) {
    this.#detector = detector;
  }

  static async create(): Promise<Vad> {
    return new Vad(await VoiceActivityDetector.load(MODEL_FILE));
  }

  probabilities(clip: Float32Array): Promise<Float32Array> {
    return this.#detector.probabilities(clip);
  }
}

export const VadDeployment = deployment(Vad, { name: 'Vad', module: import.meta.url });
