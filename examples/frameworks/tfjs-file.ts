import type { Layer, Weights } from './weights.ts';

/** Writes the network as tfjs saves layers models: the topology in Keras' words, and the weights one after the other. */
export function toTfjs({ hidden, output }: Weights): object {
  const dense = (name: string, { inputs, outputs }: Layer, activation: string) => ({
    class_name: 'Dense',
    config: {
      name,
      units: outputs,
      activation,
      use_bias: true,
      batch_input_shape: [null, inputs],
      dtype: 'float32',
    },
  });
  const specs = (name: string, { inputs, outputs }: Layer) => [
    { name: `${name}/kernel`, shape: [inputs, outputs], dtype: 'float32' },
    { name: `${name}/bias`, shape: [outputs], dtype: 'float32' },
  ];
  const numbers = [hidden.weights, hidden.bias, output.weights, output.bias].flat();
  return {
    modelTopology: {
      class_name: 'Sequential',
      config: {
        name: 'digits',
        layers: [dense('hidden', hidden, 'relu'), dense('output', output, 'softmax')],
      },
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
    },
    weightSpecs: [...specs('hidden', hidden), ...specs('output', output)],
    /** Little-endian float32, in base64. */
    weightData: Buffer.from(new Float32Array(numbers).buffer).toString('base64'),
  };
}
