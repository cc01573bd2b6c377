import { expect, test } from 'vitest';
import { ManualClock, type ServeError } from '../../src/index.ts';
import { FAULT, faulty } from '../fixtures/faulty/faults.ts';
import { json, send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, eventually, status } from '../support/until.ts';

async function failure(work: PromiseLike<unknown>): Promise<ServeError> {
  return await work.then(
    () => expect.unreachable('the call was answered'),
    (error: unknown) => error as ServeError,
  );
}

test('once the crash budget is spent, waiting and new calls are told at once when to come back', async () => {
  const clock = new ManualClock();
  await using serve = quietServe({ clock });
  const shared = new Shared();
  const app = faulty.options({
    numReplicas: 1,
    maxOngoingRequests: 1,
    requestTimeoutMs: 60_000,
    restart: { maxCrashes: 2, windowMs: 60_000, maxDelayMs: 30_000 },
  });
  const handle = await serve.run(app.bind(shared.buffer));
  const isUp = (): boolean =>
    serve.status().apps['Faulty']?.deployments['Faulty']?.replicaStates['RUNNING'] === 1;

  await failure(handle.exit.remote(3));
  // Within the budget calls wait for the next replica.
  expect(await handle.remote()).toMatch(/^Faulty#/);

  const dying = failure(handle.stray.remote());
  const waiting = failure(handle.remote());
  expect(await dying).toMatchObject({ code: 'SERVE_REPLICA_DIED' });
  const at = new Date(clock.timestamp() + 30_000).toISOString();
  const refusal = {
    code: 'SERVE_UNAVAILABLE',
    statusCode: 503,
    retryable: true,
    retryAfterMs: 30_000,
    message: expect.stringContaining(`2 replicas crashed within 60 s; the next one is started at ${at}`),
  };
  expect(await waiting).toMatchObject(refusal);
  expect(await failure(handle.remote())).toMatchObject(refusal);
  await status(serve, 'Faulty', 'Faulty', 'UNHEALTHY');

  await clock.advance(10_000);
  expect(await failure(handle.remote())).toMatchObject({ code: 'SERVE_UNAVAILABLE', retryAfterMs: 20_000 });

  // The probe is no replica yet.
  const starting = event(serve, 'replica', ({ state }) => state === 'STARTING');
  await clock.advance(20_250);
  await starting;
  if (!isUp()) expect(await failure(handle.remote())).toMatchObject({ code: 'SERVE_UNAVAILABLE' });
  await eventually(isUp);
  expect(await handle.remote()).toMatch(/^Faulty#/);
  expect(shared.get(FAULT.constructed)).toBe(3);
});

test('an HTTP client gets that as 503 with Retry-After', async () => {
  const clock = new ManualClock();
  await using serve = quietServe({ clock });
  const app = faulty.options({
    numReplicas: 1,
    requestTimeoutMs: 60_000,
    restart: { maxCrashes: 1, windowMs: 60_000, maxDelayMs: 30_000 },
  });
  const bound = app.bind(new Shared().buffer);
  await using host = await listen(serve.middleware(bound));
  const handle = serve.handle(bound);
  expect((await send(host.port, '/')).status).toBe(200);
  await failure(handle.exit.remote(3));
  await status(serve, 'Faulty', 'Faulty', 'UNHEALTHY');
  const answer = await send(host.port, '/');
  expect(answer).toMatchObject({ status: 503, headers: { 'retry-after': '30' } });
  expect(json(answer)).toMatchObject({ code: 'SERVE_UNAVAILABLE' });
});
