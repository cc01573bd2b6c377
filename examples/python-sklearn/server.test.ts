import { expect, test } from 'vitest';
import { startExample } from '../../test/support/example.ts';
import { FRAMEWORKS } from '../../test/support/frameworks.ts';

test.skipIf(!FRAMEWORKS.has('scikit-learn'))(
  'classifies flowers in Python (npm run test:python)',
  async () => {
    await using example = await startExample('python-sklearn');
    const classify = async (petalLength: number): Promise<unknown> => {
      const response = await fetch(`${example.url}/classify`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sepalLength: 5.9, sepalWidth: 3, petalLength, petalWidth: petalLength / 3 }),
      });
      return (await response.json()) as unknown;
    };
    expect(await classify(1.3)).toMatchObject({ label: 'setosa', score: expect.any(Number) });
    const labels = await Promise.all([1.3, 6, 1.3, 6, 1.3].map(classify));
    expect(labels.map((verdict) => (verdict as { label: string }).label)).toEqual([
      'setosa',
      'virginica',
      'setosa',
      'virginica',
      'setosa',
    ]);
  },
  180_000,
);
