import { get } from 'node:http';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startServer } from '../../support/example.ts';
import { onAFreePort } from '../../support/listens-anywhere.ts';

test('the routes of docs/http.md answer, and end the call of a client that leaves', {
  timeout: 180_000,
}, async () => {
  const program = fileURLToPath(new URL('../../fixtures/docs/docs-http/routes.ts', import.meta.url));
  // In its test environment Express keeps errors to itself.
  const server = await startServer(program, { ...onAFreePort, NODE_ENV: 'development' });
  onTestFinished(() => server.kill());
  expect(await (await fetch(`${server.url}/translate/horse`)).text()).toBe('HORSE');
  const leaving = get(`${server.url}/translate/zebra`, { agent: false });
  leaving.on('error', () => {});
  leaving.on('finish', () => setImmediate(() => leaving.destroy()));
  await expect.poll(server.output, { timeout: 60_000 }).toContain("code: 'SERVE_CANCELLED'");
});
