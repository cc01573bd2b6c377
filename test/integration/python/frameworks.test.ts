import { describe, expect, test } from 'vitest';
import { pythonDeployment, type Tensor } from '../../../src/index.ts';
import { FRAMEWORKS } from '../../support/frameworks.ts';
import { quietServe } from '../../support/quiet.ts';
import '../../support/python.ts';

type Row = Tensor | Float32Array | BigInt64Array | Float64Array;

interface Arrays {
  about(value: unknown): Record<string, unknown>;
  labels(large?: boolean): Float64Array;
  kept(): BigInt64Array;
  scalars(): unknown[];
  transposed(value: Tensor): Tensor;
  objects(): unknown;
  floats(): number[];
}

function deploymentOf<Api>(name: string) {
  const module = new URL('../../fixtures/python/deployments.ts', import.meta.url).href;
  return pythonDeployment<Api, []>(`./frameworks.py:${name}`, { module });
}

describe.skipIf(!FRAMEWORKS.has('scikit-learn'))('numpy and scikit-learn (npm run test:python)', () => {
  test('arrays are views of the received memory, which may be written', async () => {
    await using serve = quietServe();
    const handle = await serve.run(deploymentOf<Arrays>('Arrays').bind());
    const data = Float32Array.from([1, 2, 3, 4, 5, 6]);
    const about = { dtype: 'float32', writable: true, shares: true };
    expect(await handle.about.remote(data)).toEqual({ ...about, shape: [6] });
    expect(await handle.about.remote({ dtype: 'float32', shape: [2, 3], data })).toEqual({
      ...about,
      shape: [2, 3],
    });
    const turned = await handle.transposed.remote({ dtype: 'float32', shape: [2, 3], data });
    expect(turned).toEqual({ dtype: 'float32', shape: [3, 2], data: Float32Array.from([1, 4, 2, 5, 3, 6]) });
  });

  test('integers of 64 bits arrive as numbers, or fail with what keeps them', async () => {
    await using serve = quietServe();
    const handle = await serve.run(deploymentOf<Arrays>('Arrays').bind());
    expect(await handle.labels.remote()).toEqual(Float64Array.from([1, 2]));
    await expect(handle.labels.remote(true)).rejects.toMatchObject({
      code: 'SERVE_NOT_SERIALIZABLE',
      message: expect.stringContaining('inserve.Tensor(x)'),
    });
    expect(await handle.kept.remote()).toEqual(BigInt64Array.from([1n, 2n ** 60n]));
    expect(await handle.scalars.remote()).toEqual([3, 0.5, true, 7]);
    await expect(handle.objects.remote()).rejects.toMatchObject({
      message: expect.stringContaining('.a[0] cannot cross from Python: it is an array of object'),
    });
    expect(await handle.floats.remote()).toHaveLength(10_000);
  });

  test('scikit-learn predicts', async () => {
    await using serve = quietServe();
    const handle = await serve.run(deploymentOf<{ predict(rows: Row): Float64Array }>('Sklearn').bind());
    const data = Float64Array.from([5.1, 3.5, 1.4, 0.2, 6.3, 3.3, 6, 2.5]);
    expect(await handle.predict.remote({ dtype: 'float64', shape: [2, 4], data })).toEqual(
      Float64Array.of(0, 2),
    );
  }, 180_000);
});

describe.skipIf(!FRAMEWORKS.has('onnxruntime'))('onnxruntime (npm run test:python)', () => {
  test('runs a graph on integers of 64 bits', async () => {
    await using serve = quietServe();
    const handle = await serve.run(deploymentOf<{ run(x: Row): Float64Array }>('Onnx').bind());
    expect(await handle.run.remote(BigInt64Array.from([1n, 2n]))).toEqual(Float64Array.of(2, 3));
  }, 180_000);
});

describe.skipIf(!FRAMEWORKS.has('torch'))('torch (npm run test:python -- torch)', () => {
  test('shares the memory of an array without a warning', async () => {
    await using serve = quietServe();
    const deployment = deploymentOf<{
      double(rows: Row): Float32Array;
      refused(): unknown;
      threads(): number;
    }>('Torch');
    const handle = await serve.run(deployment.options({ resources: { cpus: 1 } }).bind());
    expect(await handle.double.remote(Float32Array.of(1, 2))).toEqual(Float32Array.of(2, 4));
    await expect(handle.refused.remote()).rejects.toMatchObject({
      message: expect.stringContaining('bfloat16'),
    });
    expect(await handle.threads.remote()).toBe(1);
  }, 180_000);
});

describe.skipIf(!FRAMEWORKS.has('keras'))('Keras on TensorFlow (npm run test:python -- keras)', () => {
  test('answers with a tensor, and what it prints at its start is no error', async () => {
    await using serve = quietServe();
    const deployment = deploymentOf<{ sums(rows: Tensor): Tensor; about(): string }>('Keras');
    const handle = await serve.run(deployment.bind());
    const data = Float32Array.of(1, 2, 3, 4);
    expect(await handle.sums.remote({ dtype: 'float32', shape: [2, 2], data })).toEqual({
      dtype: 'float32',
      shape: [2, 1],
      data: Float32Array.of(3, 7),
    });
    expect(await handle.about.remote()).toBe('tensorflow');
    expect(serve.log.records.filter(({ level }) => level === 'error')).toEqual([]);
  }, 180_000);
});

describe.skipIf(!FRAMEWORKS.has('sentences'))(
  'a sentence transformer (npm run test:python -- sentences)',
  () => {
    test('embeds the texts of many callers in one run, and puts what means the same near each other', async () => {
      await using serve = quietServe();
      const handle = await serve.run(deploymentOf<{ embed(text: string): Float32Array }>('Sentences').bind());
      const texts = [
        'A cat sleeps on the sofa.',
        'A kitten naps on the couch.',
        'Interest rates rose again.',
      ];
      const [cat, kitten, rates] = (await Promise.all(texts.map((text) => handle.embed.remote(text)))) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      expect([cat.constructor, cat.length]).toEqual([Float32Array, 384]);
      expect(cosine(cat, cat)).toBeCloseTo(1, 4);
      expect(cosine(cat, kitten)).toBeGreaterThan(0.5);
      expect(cosine(cat, rates)).toBeLessThan(0.2);
    }, 180_000);
  },
);

/** Of two vectors of length 1. */
function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] ?? 0), 0);
}
