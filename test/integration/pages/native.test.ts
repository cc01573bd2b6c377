import { createServe } from 'inserve';
import { expect, test } from 'vitest';
import { voice } from '../../fixtures/docs/docs-gpu-and-native/voice.ts';
import { Records } from '../../support/quiet.ts';

test('the network of the page hears that nobody speaks', { timeout: 180_000 }, async () => {
  await using serve = createServe({ logger: new Records(), hostGuard: { enabled: false } });
  const handle = await serve.run(voice);
  expect(await handle.probability.remote(new Float32Array(576))).toBeLessThan(0.1);
});
