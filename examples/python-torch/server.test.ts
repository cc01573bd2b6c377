import { expect, test } from 'vitest';
import { startExample } from '../../test/support/example.ts';
import { FRAMEWORKS } from '../../test/support/frameworks.ts';

test.skipIf(!FRAMEWORKS.has('torch'))(
  'runs a network of torch (npm run test:python -- torch)',
  async () => {
    await using example = await startExample('python-torch');
    const ask = async (path: string): Promise<number> => {
      const response = await fetch(`${example.url}/xor/${path}`);
      return ((await response.json()) as { probability: number }).probability;
    };
    expect(await ask('1/0')).toBeGreaterThan(0.9);
    expect(await ask('1/1')).toBeLessThan(0.1);
  },
  180_000,
);
