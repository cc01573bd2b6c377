import { context, type DeploymentHandle, deployment } from 'inserve';
import { InputError } from './input-error.ts';
import { resample } from './resample.ts';
import { type DetectedSegment, SAMPLE_RATE } from './segments.ts';
import { MODEL_FILE, VoiceActivityDetector } from './vad.ts';
import { decodeWav } from './wav.ts';

export type SpeechReport = {
  /** Of the recording, in Hz. */
  sampleRate: number;
  durationMs: number;
  channels: { segments: DetectedSegment[] }[];
};

/** The neural network. Each replica has a thread and a session of its own. */
export class Detector {
  readonly #vad: VoiceActivityDetector;

  private constructor(vad: VoiceActivityDetector) {
    this.#vad = vad;
  }

  static async create(options: { model: string }): Promise<Detector> {
    return new Detector(await VoiceActivityDetector.load(options.model));
  }

  /** `clip`: one channel at 16 kHz. A clip whose caller has gone is given up between two frames. */
  async detect(clip: Float32Array): Promise<DetectedSegment[]> {
    return this.#vad.detect(clip, context().signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#vad.release();
  }
}

/** The ingress: a WAV file comes in, its channels go to the detector side by side. */
export class Segmenter {
  readonly #detector: DeploymentHandle<typeof Detector>;

  constructor(detector: DeploymentHandle<typeof Detector>) {
    this.#detector = detector;
  }

  async call(request: Request): Promise<SpeechReport | Response> {
    if (request.method !== 'POST') {
      return new Response('POST a WAV file\n', { status: 405, headers: { allow: 'POST' } });
    }
    requireWav(request.headers.get('content-type'));
    const { sampleRate, channels } = decodeWav(await request.arrayBuffer());
    const clips = channels.map((channel) => resample(channel, sampleRate, SAMPLE_RATE));
    const detected = await Promise.all(clips.map((clip) => this.#detector.detect.remote(clip)));
    return {
      sampleRate,
      durationMs: Math.round((channels[0]!.length / sampleRate) * 1_000),
      channels: detected.map((segments) => ({ segments })),
    };
  }
}

/** Catches a form upload and curl's default, whose bodies are no WAV file or only look like one. */
function requireWav(contentType: string | null): void {
  const type = contentType?.split(';')[0]?.trim().toLowerCase() ?? 'application/octet-stream';
  if (/^(audio\/(x-|vnd\.)?wave?|application\/octet-stream)$/.test(type)) return;
  throw new InputError(415, 'WAV_CONTENT_TYPE', `Send the file as audio/wav, not as ${type}`);
}

export const DetectorDeployment = deployment(Detector, {
  name: 'Detector',
  numReplicas: 2,
  module: import.meta.url,
});
export const detector = DetectorDeployment.bind({ model: MODEL_FILE });
export const speech = deployment(Segmenter, { name: 'Segmenter', module: import.meta.url }).bind(detector);
