import { describe, expect, test } from 'vitest';
import { createServe } from '../../../src/index.ts';
import { probe } from '../../fixtures/http/probe.ts';
import { json, RawClient, send } from '../client.ts';
import { type Mount, ongoing, quiet } from './setup.ts';

/** An ingress on the host's own event loop: the same answers, without a thread in between. */
export function inline(mount: Mount): void {
  describe('an inline ingress', () => {
    test('answers, streams, fails and is cancelled like any other', async () => {
      await using serve = createServe({ logger: quiet });
      const app = probe.options({ isolation: 'inline' }).bind();
      const user = { greet: () => 'by reference' };
      await using server = await mount({ serve, app, options: { locals: () => user } });
      const { port } = server;
      expect((await send(port, '/kind/text')).text).toBe('grüße');
      expect((await send(port, '/kind/response')).text).toBe('made');
      expect((await send(port, '/kind/large-bytes')).body).toHaveLength(10 * 1_048_576);
      expect((await send(port, '/fail/error')).status).toBe(500);
      const post = (path: string, body: string | Uint8Array) => send(port, path, { method: 'POST', body });
      expect(json(await post('/request/json', '{"a":1}'))).toEqual({ a: 1 });
      expect((await post('/request/length', Buffer.alloc(900_000))).text).toBe('900000');
      expect(json(await send(port, '/context'))).toMatchObject({ locals: {} });

      const handle = serve.handle(app);
      using client = await RawClient.connect(port);
      client.head('GET /stream/gated?key=inline HTTP/1.1', 'Host: h');
      expect(await client.until('first')).not.toContain('second');
      await handle.open.remote('inline');
      await client.until('second');
      client.head('GET /wait/x?key=inline-wait HTTP/1.1', 'Host: h');
      await handle.until.remote('inline-wait:started');
      client.socket.destroy();
      await handle.until.remote('inline-wait:aborted:SERVE_CANCELLED');
      await handle.open.remote('inline-wait');
      await expect.poll(() => ongoing(serve)).toBe(0);
    });
  });
}
