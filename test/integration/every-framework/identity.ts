import { describe, expect, test } from 'vitest';
import type { MiddlewareOptions } from '../../../src/index.ts';
import { child, parent, probe } from '../../fixtures/http/probe.ts';
import { json, RawClient, send } from '../../support/http/client.ts';
import { calmServe, type Mount, ongoing, queued, recorder, sharedApp, sharedProbe } from './setup.ts';

interface Seen {
  requestId: string;
  remainingMs: number;
  ip: string;
  [name: string]: unknown;
}

/** Who asks, how long they wait, and what the host knows of them. */
export function identity(mount: Mount): void {
  describe('request ids', () => {
    const shared = sharedProbe(mount);

    test.each([
      'abc-123',
      'a'.repeat(128),
      'Root=1-67891233-abcdef;x'.replace(';x', ''),
      'a.b_c~d:e@f=g+h/i',
    ])('24: a safe one is kept: %s', async (id) => {
      const answer = await send(shared.port, '/context', { headers: { 'x-request-id': id } });
      expect(answer.headers['x-request-id']).toBe(id);
      expect((json(answer) as Seen).requestId).toBe(id);
    });

    test.each([
      '',
      'a'.repeat(129),
      'a b',
      'a\u001b[31mred',
      'a,b',
      '<script>',
      'ü',
      'a\tb',
      'x'.repeat(10_000),
    ])('security row 11: any other is replaced: %j', async (id) => {
      using client = await RawClient.connect(shared.port);
      client.head('GET /context HTTP/1.1', 'Host: h', `X-Request-Id: ${id}`, 'Connection: close');
      const answer = await client.closed();
      // Some of them are Node's to refuse.
      if (answer.startsWith('HTTP/1.1 400')) return;
      const [, made = ''] = /x-request-id: ([A-Za-z0-9._-]+)\r\n/i.exec(answer) ?? [];
      expect(['', id]).not.toContain(made);
      expect(answer).toContain(`"requestId":"${made}"`);
    });

    test('two of them are none', async () => {
      const answer = await send(shared.port, '/context', { headers: { 'X-Request-Id': ['one', 'two'] } });
      expect(answer.headers['x-request-id']).not.toMatch(/one|two/);
    });

    test('24: each request without one gets its own', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => send(shared.port, '/context')));
      expect(new Set(answers.map((answer) => (json(answer) as Seen).requestId)).size).toBe(20);
    });

    test('ours is the one that is echoed', async () => {
      const answer = await send(shared.port, '/kind/own-request-id', { headers: { 'x-request-id': 'ours' } });
      expect(answer.headers['x-request-id']).toBe('ours');
    });

    test('24: a child call carries it', async () => {
      await using serve = calmServe();
      await using server = await mount({ serve, app: parent.bind(child.bind()) });
      const answer = await send(server.port, '/', { headers: { 'x-request-id': 'parent' } });
      expect(json(answer)).toEqual({ own: 'parent', child: 'parent' });
    });
  });

  describe('x-request-timeout-ms', () => {
    const shared = sharedProbe(mount, { requestTimeoutMs: 20_000 });
    const remaining = async (value: string) => {
      const answer = await send(shared.port, '/context', { headers: { 'x-request-timeout-ms': value } });
      return (json(answer) as Seen).remainingMs;
    };

    test('22: shortens the deadline', async () => {
      expect(await remaining('5000')).toBeLessThanOrEqual(5_002);
      const late = await send(shared.port, '/wait/x?key=client', {
        headers: { 'x-request-timeout-ms': '40' },
      });
      expect(late.status).toBe(504);
      await shared.probe.open.remote('client');
    });

    test.each(['25000', '0', '-1', 'NaN', '1e309', '1e3', '99999999999999999999', '0x10', '5000, 1', ''])(
      'security row 8: %j changes nothing',
      async (value) => {
        const ms = await remaining(value);
        expect(ms).toBeGreaterThan(15_000);
        // Two clocks with a resolution of 1 ms each.
        expect(ms).toBeLessThanOrEqual(20_002);
      },
    );
  });

  describe('what the host says of a request', () => {
    const { records, logger } = recorder();
    const shared = sharedApp(logger);
    const mounted = (options: MiddlewareOptions) => mount({ serve: shared.serve, app: shared.app, options });

    async function contextWith(options: MiddlewareOptions): Promise<Seen> {
      await using server = await mounted(options);
      const answer = await send(server.port, '/context', {
        method: 'POST',
        body: 'a small body',
        headers: {
          'x-tenant': 'of-the-client',
          'x-session-id': 'of-the-client',
          'serve-multiplexed-model-id': 'of-the-client',
          'x-priority': 'critical-plus',
        },
      });
      expect(answer.status).toBe(200);
      return json(answer) as Seen;
    }

    test('nothing comes from the client by itself', async () => {
      const seen = await contextWith({});
      expect(seen).toMatchObject({ multiplexedModelId: '', ip: '127.0.0.1', params: {}, mountPath: '' });
      expect(seen).not.toHaveProperty('tenant');
      expect(seen).not.toHaveProperty('sessionId');
      expect(seen).not.toHaveProperty('locals');
    });

    test('locals(req) and call(req) say it', async () => {
      const seen = await contextWith({
        locals: (req) => ({ user: { name: 'ada' }, agent: req.headers['x-tenant'], bytes: Buffer.from([1]) }),
        call: (req) => ({
          tenant: `t-${req.headers['x-tenant']}`,
          sessionId: 's',
          multiplexedModelId: 'm',
          priority: 'sheddable',
        }),
      });
      expect(seen).toMatchObject({
        locals: { user: { name: 'ada' }, agent: 'of-the-client', bytes: { type: 'Buffer', data: [1] } },
        tenant: 't-of-the-client',
        sessionId: 's',
        multiplexedModelId: 'm',
      });
    });

    test.each<[string, MiddlewareOptions]>([
      [
        'locals throws',
        {
          locals: () => {
            throw new Error('secret hook');
          },
        },
      ],
      ['locals answers a function', { locals: () => () => {} }],
      ['locals is async', { locals: async () => ({}) }],
      [
        'call throws',
        {
          call: () => {
            throw new Error('secret hook');
          },
        },
      ],
      ['call answers nonsense', { call: () => ({ priority: 'huge' as 'critical' }) }],
    ])('%s: 500, and the log says why', async (_name, options) => {
      await using server = await mounted(options);
      records.length = 0;
      const answer = await send(server.port, '/kind/number', { method: 'POST', body: 'x' });
      expect(answer.status).toBe(500);
      expect(answer.text).not.toContain('secret');
      expect(records).toMatchObject([{ level: 'error', fields: { err: expect.any(Error) } }]);
    });

    test('the priority that call(req) gives decides who goes first', async () => {
      await using serve = calmServe();
      const app = probe.options({ maxOngoingRequests: 1 }).bind();
      const options: MiddlewareOptions = {
        call: (req) => ({ priority: (req.url ?? '').includes('less') ? 'sheddable' : 'critical' }),
      };
      await using server = await mount({ serve, app, options });
      const order: string[] = [];
      const get = async (name: string) => {
        await send(server.port, `/kind/number?${name}`, { headers: { 'x-priority': 'critical-plus' } });
        order.push(name);
      };
      const running = send(server.port, '/wait/x?key=running');
      await expect.poll(() => ongoing(serve)).toBe(1);
      const less = get('less');
      await expect.poll(() => queued(serve)).toBe(1);
      const more = get('more');
      await expect.poll(() => queued(serve)).toBe(2);
      await serve.handle(app).broadcast('open', 'running');
      await Promise.all([running, less, more]);
      expect(order).toEqual(['more', 'less']);
    });

    test('a hook may refuse a request in its own way', async () => {
      const refuse = () => {
        throw Object.assign(new Error('who are you?'), { statusCode: 401, expose: true });
      };
      await using server = await mounted({ locals: refuse });
      const answer = await send(server.port, '/kind/number');
      expect(answer.status).toBe(401);
      expect(json(answer)).toMatchObject({ title: 'who are you?' });
    });
  });
}
