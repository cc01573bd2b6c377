import express from 'express';
import { describe, expect, test } from 'vitest';
import type { Serve } from '../../../src/index.ts';
import { FAULT, faulty } from '../../fixtures/faulty/faults.ts';
import { requests } from '../../fixtures/observed/observed.ts';
import { starting } from '../../fixtures/observed/starting.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually, status } from '../../support/until.ts';

const report = (serve: Serve, app = 'Starting') => serve.status().apps[app]?.deployments[app];

async function metric(serve: Serve, name: string, labels = ''): Promise<number> {
  const text = await serve.metrics();
  const line = text.split('\n').find((each) => each.startsWith(name) && each.includes(labels));
  return Number(line?.split(' ').at(-1));
}

describe('an operator sees', () => {
  test('how far a replica is that starts, and how long it took', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const told = event(serve, 'replica', ({ reason }) => reason === 'weights 50 %');
    const deployed = serve.run(starting.bind(shared.buffer));
    expect(await told).toMatchObject({ deployment: 'Starting', state: 'STARTING' });
    expect(report(serve)?.replicas[0]).toMatchObject({ state: 'STARTING', message: 'weights 50 %' });
    // The first and the last of a burst.
    const messages = serve.log.records
      .map(({ message }) => message)
      .filter((each) => each.includes('starts:'));
    expect(messages).toEqual([
      expect.stringMatching(/^Starting: replica Starting#\w+ starts: weights 0 %$/),
      expect.stringMatching(/ starts: weights 50 %$/),
    ]);
    shared.set(0, 1);
    const handle = await deployed;
    await handle.remote(0);
    const [replica] = report(serve)?.replicas ?? [];
    expect(replica).not.toHaveProperty('message');
    expect(Date.now() - (replica?.startedAt ?? 0)).toBeLessThan(30_000);
    expect(Date.now() - (serve.status().instances[0]?.startedAt ?? 0)).toBeLessThan(30_000);
    expect(await metric(serve, 'serve_replica_start_seconds_count')).toBe(1);
    expect(await metric(serve, 'serve_replica_start_seconds_bucket', 'le="0.05"')).toBe(0);
    expect(await metric(serve, 'serve_deployment_status', 'status="HEALTHY"')).toBe(1);
    expect(await metric(serve, 'serve_deployment_status', 'status="UNHEALTHY"')).toBe(0);
    expect(await metric(serve, 'serve_target_replicas')).toBe(1);
  });

  test('what a replica holds', async () => {
    await using serve = quietServe({ growthWatch: { sampleMs: 20 } });
    await serve.run(faulty.bind(new Shared().buffer));
    await eventually(() => (report(serve, 'Faulty')?.replicas[0]?.memoryBytes ?? 0) > 1e6);
    expect(await metric(serve, 'serve_replica_memory_bytes', 'rank="0"')).toBeGreaterThan(1e6);
    expect(await metric(serve, 'serve_replica_utilization', 'rank="0"')).toBeGreaterThanOrEqual(0);
    expect(await metric(serve, 'serve_info', `node_version="${process.versions.node}"`)).toBe(1);
  });

  test('the memory at a scrape as well, where nothing watches it', async () => {
    await using serve = quietServe({ growthWatch: { enabled: false } });
    await serve.run(faulty.bind(new Shared().buffer));
    await eventually(async () => (await metric(serve, 'serve_replica_memory_bytes')) > 1e6);
  });

  test('how long calls wait, apart from how long they run', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(0, 1);
    const handle = await serve.run(starting.bind(shared.buffer));
    await Promise.all([handle.remote(100), handle.remote(0), handle.remote(0)]);
    expect(await metric(serve, 'serve_queue_seconds_count')).toBe(3);
    expect(await metric(serve, 'serve_queue_seconds_bucket', 'le="0.05"')).toBe(1);
    expect(await metric(serve, 'serve_queue_seconds_sum')).toBeGreaterThan(0.15);
  });

  test('why replicas end, the last error, and when the next one is tried', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const restart = { maxDelayMs: 60_000 };
    const handle = await serve.run(faulty.options({ restart }).bind(shared.buffer));
    expect(report(serve, 'Faulty')).toMatchObject({ lastError: undefined, nextTryAt: undefined });
    await expect(handle.exit.remote(3)).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    await status(serve, 'Faulty', 'Faulty', 'HEALTHY');
    expect(await metric(serve, 'serve_replica_deaths_total', 'cause="exit"')).toBe(1);
    expect(report(serve, 'Faulty')?.lastError?.message).toContain('process.exit() was called');
    await expect(handle.stray.remote()).rejects.toMatchObject({ code: 'SERVE_REPLICA_DIED' });
    await eventually(() => report(serve, 'Faulty')?.nextTryAt !== undefined);
    expect((report(serve, 'Faulty')?.nextTryAt ?? 0) - Date.now()).toBeGreaterThan(0);
    await eventually(() => shared.get(FAULT.constructed) === 3);
    await status(serve, 'Faulty', 'Faulty', 'HEALTHY');
    expect(report(serve, 'Faulty')?.nextTryAt).toBeUndefined();
    expect(report(serve, 'Faulty')?.lastError?.message).toContain('stray');
    expect(await metric(serve, 'serve_replica_deaths_total', 'cause="exception"')).toBe(1);
    expect(await metric(serve, 'serve_replica_restarts_total')).toBe(2);
  });

  test('starts that fail', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    shared.set(0, 2);
    const options = { maxConstructorRetryCount: 1 };
    await expect(serve.run(starting.options(options).bind(shared.buffer))).rejects.toThrow(
      'weights are broken',
    );
    expect(await metric(serve, 'serve_replica_deaths_total', 'cause="start"')).toBe(1);
    expect(report(serve)?.lastError?.message).toContain('weights are broken');
  });

  test('the mount path as the route, whatever clients make of it', async () => {
    await using serve = quietServe();
    const app = express();
    app.use('/v1/things', serve.middleware(requests.bind()));
    app.use('/users/:user/things', serve.middleware('Requests'));
    await using server = await listen(app);
    const get = (path: string): Promise<Response> => fetch(`http://127.0.0.1:${server.port}${path}`);
    for (const path of ['/v1/things/ok', '/V1/THINGS/ok', '/users/ada/things/ok', '/users/bob/things/ok'])
      expect((await get(path)).status).toBe(200);
    expect(await metric(serve, 'serve_http_requests_total', 'route="/v1/things"')).toBe(2);
    expect(await metric(serve, 'serve_http_requests_total', 'route="/users/:user/things"')).toBe(2);
  });

  test('413 names the option', async () => {
    await using serve = quietServe();
    await using server = await listen(serve.middleware(requests.bind(), { bodyLimit: 10 }));
    const response = await fetch(`http://127.0.0.1:${server.port}/`, {
      method: 'POST',
      body: 'x'.repeat(11),
    });
    expect(await response.json()).toMatchObject({
      status: 413,
      detail: 'the request body is larger than bodyLimit (10 bytes)',
    });
  });
});
