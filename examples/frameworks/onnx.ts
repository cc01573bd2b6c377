import { fileURLToPath } from 'node:url';
import { deployment } from 'inserve';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { Drawing, Reading, toReading } from './schemas.ts';

const MODEL = fileURLToPath(new URL('./models/digits.onnx', import.meta.url));

/** onnxruntime: native code on threads of its own. Tensors are made here: they cannot cross threads. */
export class OnnxDigits {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  static async create(): Promise<OnnxDigits> {
    const options = { intraOpNumThreads: 1, interOpNumThreads: 1 };
    return new OnnxDigits(await InferenceSession.create(MODEL, options));
  }

  async call({ pixels }: Drawing): Promise<Reading> {
    const input = new Tensor('float32', Float32Array.from(pixels), [1, pixels.length]);
    const { probabilities } = await this.#session.run({ pixels: input });
    return toReading(probabilities?.data as Float32Array);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}

export const onnx = deployment(OnnxDigits, {
  name: 'OnnxDigits',
  module: import.meta.url,
  schemas: { call: { input: Drawing, output: Reading } },
}).bind();
