import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startServer } from '../../support/example.ts';
import { onAFreePort } from '../../support/listens-anywhere.ts';

test('the first example of the README answers', { timeout: 180_000 }, async () => {
  const program = fileURLToPath(new URL('../../fixtures/docs/README/server.ts', import.meta.url));
  const server = await startServer(program, onAFreePort);
  onTestFinished(() => server.kill());
  const hash = async (): Promise<string> => (await fetch(`${server.url}/hash/horse`)).text();
  await expect.poll(hash, { timeout: 60_000 }).toMatch(/^[0-9a-f]{128}$/);
});
