import { readFile } from 'node:fs/promises';
import * as tf from '@tensorflow/tfjs';
import { deployment } from 'inserve';
import { Drawing, Reading, toReading } from './schemas.ts';

interface ModelFile {
  modelTopology: object;
  weightSpecs: tf.io.WeightsManifestEntry[];
  weightData: string;
}

/** TensorFlow.js on its JavaScript backend: nothing native, and the replica's thread does the work. */
export class TfjsDigits {
  readonly #model: tf.LayersModel;

  private constructor(model: tf.LayersModel) {
    this.#model = model;
  }

  static async create(): Promise<TfjsDigits> {
    await tf.setBackend('cpu');
    const file = await readFile(new URL('./models/digits.tfjs.json', import.meta.url), 'utf8');
    const { modelTopology, weightSpecs, weightData } = JSON.parse(file) as ModelFile;
    const bytes = new Uint8Array(Buffer.from(weightData, 'base64'));
    const handler = tf.io.fromMemory({ modelTopology, weightSpecs, weightData: bytes.buffer });
    return new TfjsDigits(await tf.loadLayersModel(handler));
  }

  call({ pixels }: Drawing): Reading {
    // `tidy` frees the tensors that are made meanwhile.
    const probabilities = tf.tidy(() => {
      const input = tf.tensor2d(pixels, [1, pixels.length]);
      return (this.#model.predict(input) as tf.Tensor).dataSync();
    });
    return toReading(probabilities);
  }

  [Symbol.dispose](): void {
    this.#model.dispose();
  }
}

export const tfjs = deployment(TfjsDigits, {
  name: 'TfjsDigits',
  module: import.meta.url,
  schemas: { call: { input: Drawing, output: Reading } },
}).bind();
