import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MiddlewareOptions, Serve, ServeMiddleware } from '../../../src/index.ts';
import { RawClient } from '../../support/http/client.ts';
import { HAS_OLD_FRAMEWORKS } from '../../support/old-frameworks.ts';
import { type Mounted, sharedApp } from '../every-framework/setup.ts';
import { CASES, converse } from './cases.ts';

/** How an app of the host's own is mounted beside its routes. */
export interface Ours {
  readonly serve: Serve;
  readonly app: Parameters<Serve['middleware']>[0];
  readonly options: MiddlewareOptions & { passthrough?: boolean };
  /** `'/'`: in front of everything. */
  readonly path: string;
  readonly middleware: ServeMiddleware;
}

/** A host with the routes that the cases ask for. It calls `onLeft` when the client of `/waits` has left. */
export type BuildHost = (ours: Ours | undefined, onLeft: () => void) => Promise<Mounted>;

/** With our middleware in front, or mounted elsewhere, every route of the host answers to the byte as without it. */
export function differential(name: string, build: BuildHost): void {
  describe(`${name}: the routes of the host`, () => {
    const shared = sharedApp();
    const servers: Record<string, Mounted> = {};
    const left = { without: 0, 'in front': 0, elsewhere: 0 };
    const start = async (where: keyof typeof left, path?: string, options: MiddlewareOptions = {}) => {
      const { serve, app } = shared;
      const ours =
        path === undefined
          ? undefined
          : { serve, app, options, path, middleware: serve.middleware(app, options) };
      servers[where] = await build(ours, () => void left[where]++);
    };
    beforeAll(async () => {
      await start('without');
      await start('in front', '/', { passthrough: true });
      await start('elsewhere', '/ours');
    });
    afterAll(() => Promise.all(Object.values(servers).map((server) => server[Symbol.asyncDispose]())));
    const portOf = (where: string): number => servers[where]?.port ?? 0;

    // Neither Express 4 nor Koa 2 ends such an answer.
    const { 'an error in mid-stream': _, ...ending } = CASES;
    test.concurrent.each(Object.entries(HAS_OLD_FRAMEWORKS ? ending : CASES))(
      '%s',
      async (_case, exchange) => {
        const expected = await converse(portOf('without'), exchange);
        expect(expected).toMatch(/^HTTP\/1\.1 \d{3} /);
        expect(await converse(portOf('in front'), exchange)).toBe(expected);
        expect(await converse(portOf('elsewhere'), exchange)).toBe(expected);
      },
    );

    test('a client that leaves', async () => {
      for (const where of ['without', 'in front', 'elsewhere'] as const) {
        using client = await RawClient.connect(portOf(where));
        client.head('GET /waits HTTP/1.1', 'Host: h');
        await client.until('waiting');
        client.socket.destroy();
        await expect.poll(() => left[where]).toBe(1);
      }
    });

    test('and ours are there, too', async () => {
      const ask = (where: string, path: string) =>
        converse(portOf(where), [`GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`]);
      expect(await ask('in front', '/kind/number')).toMatch(/\r\n\r\n0\.5$/);
      expect(await ask('elsewhere', '/ours/kind/number')).toMatch(/\r\n\r\n0\.5$/);
      expect(await ask('without', '/kind/number')).not.toMatch(/\r\n\r\n0\.5$/);
    });
  });
}

export const LARGE: Buffer = Buffer.alloc(2_000_000, 'large');

/** Two chunks, the second a turn later. */
export async function* chunks(last: 'ends' | 'breaks'): AsyncGenerator<string> {
  yield 'one,';
  await new Promise((resolve) => setImmediate(resolve));
  if (last === 'breaks') throw new Error('broken');
  yield 'two';
}
