import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ServeEvents } from '../../src/index.ts';
import { type Forgetful, forgetful, SEEN, waiting } from '../fixtures/faulty/forgetful.ts';
import { start } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event } from '../support/until.ts';

let children: Shared;
let serve: ReturnType<typeof quietServe>;
let faults: ServeEvents['fault'][];

beforeEach(() => {
  children = new Shared();
  serve = quietServe();
  faults = [];
  serve.on('fault', (fault) => faults.push(fault));
});

afterEach(() => serve.close());

const app = () => forgetful.bind(waiting.bind(children.buffer));

/** A failure that nobody looked at is told of, and it is the only one: replicas tell theirs in order. */
async function expectNoOther(fail: () => Promise<unknown>): Promise<void> {
  const told = event(serve, 'fault');
  await fail();
  await told;
  expect(faults).toMatchObject([{ method: 'fail', error: new RangeError('no') }]);
  expect(serve.log.records.filter(({ level }) => level === 'error')).toHaveLength(1);
  expect(await serve.metrics()).toContain(
    'serve_unobserved_failures_total{app="Forgetful",deployment="Waiting"} 1',
  );
}

test('calls that end with the request of a client that left are no errors', async () => {
  await using server = await listen(serve.middleware(app()));
  const request = start(server.port, '/').on('error', () => {});
  await children.atLeast(SEEN.started, 3);
  request.destroy();
  await children.atLeast(SEEN.aborted, 3);
  await expectNoOther(() => serve.handle<typeof Forgetful>('Forgetful').fail.remote());
});

test('calls that end at the deadline of the call in which they were made are no errors', async () => {
  const handle = await serve.run(app(), { routePrefix: null });
  await expect(handle.options({ timeoutMs: 300 }).remote()).rejects.toMatchObject({ code: 'SERVE_TIMEOUT' });
  await children.atLeast(SEEN.aborted, 3);
  await expectNoOther(() => handle.fail.remote());
});

test('calls that their caller cancels are no errors', async () => {
  const handle = await serve.run(app(), { routePrefix: null });
  handle.remote().cancel('not needed');
  void handle.options({ signal: AbortSignal.abort() }).remote();
  const leaving = new AbortController();
  void handle.options({ signal: leaving.signal }).remote();
  await children.atLeast(SEEN.started, 3);
  leaving.abort();
  await children.atLeast(SEEN.aborted, 3);
  await expectNoOther(() => handle.fail.remote());
});
