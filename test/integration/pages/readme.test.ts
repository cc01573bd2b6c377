import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startServer } from '../../support/example.ts';

/** Preloaded: the server listens on a free port, and says where. */
const ON_A_FREE_PORT = `
import { Server } from 'node:http';
const { listen } = Server.prototype;
Server.prototype.listen = function (_port, ...rest) {
  this.once('listening', () => console.log('http://127.0.0.1:' + this.address().port));
  return listen.call(this, 0, ...rest);
};`;

test('the first example of the README answers', { timeout: 180_000 }, async () => {
  const program = fileURLToPath(new URL('../../fixtures/docs/README/server.ts', import.meta.url));
  const preload = `data:text/javascript,${encodeURIComponent(ON_A_FREE_PORT)}`;
  const server = await startServer(program, { NODE_OPTIONS: `--import=${preload}` });
  onTestFinished(() => server.kill());
  const hash = async (): Promise<string> => (await fetch(`${server.url}/hash/horse`)).text();
  await expect.poll(hash, { timeout: 60_000 }).toMatch(/^[0-9a-f]{128}$/);
});
