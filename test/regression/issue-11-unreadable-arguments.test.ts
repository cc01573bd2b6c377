import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DeploymentHandle } from '../../src/index.ts';
import { type Giver, giver } from '../fixtures/faulty/unreadable.ts';
import { send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { UNREADABLE, UNREADABLE_NAMES, type Unreadable } from '../support/unreadable.ts';

const REFUSED = expect.objectContaining({ code: 'SERVE_NOT_SERIALIZABLE' });
const INVALID = expect.objectContaining({ code: 'SERVE_INVALID_OPTION' });

let serve: ReturnType<typeof quietServe>;
let handle: DeploymentHandle<Giver>;
let server: Awaited<ReturnType<typeof listen>>;

beforeAll(async () => {
  serve = quietServe();
  handle = await serve.run(giver.bind(), { routePrefix: null });
  const locals = ({ headers }: IncomingMessage): unknown => UNREADABLE[headers['x-locals'] as Unreadable]?.();
  server = await listen(serve.middleware('Giver', { locals }));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await serve.close();
});

test.each(UNREADABLE_NAMES)('%s fails only its own call as an argument', async (name) => {
  const make = UNREADABLE[name];
  const other = handle.echo.remote('other');
  await expect(handle.echo.remote(make())).rejects.toEqual(REFUSED);
  await expect(handle.echo.remote({ inside: [make()] })).rejects.toEqual(REFUSED);
  await expect(handle.options({ idempotencyKey: name }).echo.remote(make())).rejects.toEqual(REFUSED);
  await expect(handle.pair.remote(handle.echo.remote(1), make())).rejects.toEqual(REFUSED);
  await expect(handle.broadcast('echo', make() as never)).rejects.toEqual(REFUSED);
  expect(await other).toBe('other');
});

test.each(UNREADABLE_NAMES)('%s is refused where it is bound, configured or run', async (name) => {
  const make = UNREADABLE[name];
  const bind = giver.bind as (...args: unknown[]) => ReturnType<typeof giver.bind>;
  expect(() => bind(make())).toThrow(REFUSED);
  expect(() => bind({ inside: make() })).toThrow(REFUSED);
  expect(() => giver.options({ userConfig: make() })).toThrow(INVALID);
  await expect(serve.run(make() as never)).rejects.toEqual(INVALID);
});

test.each(UNREADABLE_NAMES)('%s fails only its own request as locals', async (name) => {
  const other = send(server.port, '/?value=nothing');
  const answer = await send(server.port, '/?value=nothing', { headers: { 'x-locals': name } });
  expect(answer).toMatchObject({ status: 500, text: expect.stringContaining('SERVE_NOT_SERIALIZABLE') });
  expect((await other).text).toBe('readable');
});
