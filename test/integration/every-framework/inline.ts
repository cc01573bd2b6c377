import { describe, expect, test } from 'vitest';
import { probe } from '../../fixtures/http/probe.ts';
import { honoRouter } from '../../fixtures/http/routers.ts';
import { json, RawClient, send } from '../../support/http/client.ts';
import { calmServe, type Mount, ongoing } from './setup.ts';

async function* chunked(text: string): AsyncGenerator<string> {
  yield text;
}

/** An ingress on the host's own event loop: the same answers, without a thread in between. */
export function inline(mount: Mount): void {
  describe('an inline ingress', () => {
    test('answers, streams, fails and is cancelled like any other', async () => {
      await using serve = calmServe();
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

    test('a router gets a Request of which others can be made, without a change to the globals', async () => {
      await using serve = calmServe();
      const { Request: before } = globalThis;
      const app = honoRouter.options({ isolation: 'inline' }).bind('hello');
      await using server = await mount({ serve, app });
      const { port } = server;
      const post = (path: string, body: string | AsyncIterable<string>, type = 'application/json') =>
        send(port, path, { method: 'POST', headers: { 'content-type': type, 'x-test': 'yes' }, body });
      // Hono's middleware replaces the request by one made of it.
      expect((await post('/limited', chunked('short'))).text).toBe('short');
      expect((await post('/limited', chunked('much too long'))).status).toBe(413);
      expect(json(await post('/looks/new-request', 'taken over'))).toMatchObject({
        method: 'POST',
        movedUrl: 'http://other.example/x',
        header: 'changed',
        text: 'taken over',
        used: true,
      });
      expect(json(await post('/looks/clone', 'twice'))).toMatchObject({ texts: ['twice', 'twice'] });
      expect(json(await post('/looks/facade', 'x'))).toMatchObject({
        isRequest: true,
        tag: '[object Request]',
        isSignal: true,
        sameSignal: true,
        aborted: false,
      });
      // Its body is read as in a thread: mistakes of clients are 400.
      for (const name of ['json', 'json-of-clone'])
        expect(json(await post(`/looks/${name}`, '{"a":1}'))).toEqual({ a: 1 });
      expect(json(await post('/looks/form', 'a=1', 'application/x-www-form-urlencoded'))).toEqual([
        ['a', '1'],
      ]);
      expect((await post('/json', '{"a":1}')).status).toBe(200);
      using client = await RawClient.connect(port);
      client.head('POST /leaves HTTP/1.1', 'Host: h', 'Transfer-Encoding: chunked').write('1\r\n1\r\n');
      await expect.poll(async () => json(await send(port, '/left'))).toEqual([false]);
      client.socket.destroy();
      await expect.poll(async () => json(await send(port, '/left'))).toEqual([true]);
      expect(globalThis.Request).toBe(before);
    });
  });
}
