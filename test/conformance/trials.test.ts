import express from 'express';
import { describe, expect, test } from 'vitest';
import type { RunOptions, Serve, TrialReport } from '../../src/index.ts';
import { careful, type Release, release } from '../fixtures/updates/releases.ts';
import { echo, priced } from '../fixtures/updates/trials.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { steadyLoad } from '../support/steady-load.ts';
import { event, eventually, status } from '../support/until.ts';

const APP = { name: 'app' };

function trial(serve: Serve): TrialReport | undefined {
  return serve.status().apps['app']?.trial;
}

async function withTrial(
  serve: Serve,
  options: RunOptions,
  args: Parameters<typeof release.bind>[0] = { label: 'v2' },
) {
  const handle = await serve.run(release.options({ numReplicas: 2 }).bind({ label: 'v1' }), APP);
  await status(serve, 'app', 'Release', 'HEALTHY');
  await serve.run(release.bind(args), { ...APP, ...options });
  return handle;
}

describe('a canary', () => {
  test('takes its share, and all of it when it is promoted; no call fails', async () => {
    await using serve = quietServe();
    const handle = await withTrial(serve, { canary: 0.25 });
    expect(trial(serve)).toEqual({ kind: 'canary', app: 'app@canary', isOn: true, share: 0.25 });
    const outcomes = await steadyLoad(
      8,
      async () => (await handle.remote()).label,
      async (so) => {
        await eventually(() => so.ok > 2_000);
        const share = so.of('v2') / so.ok;
        expect(share).toBeGreaterThan(0.1);
        expect(share).toBeLessThan(0.35);
        await serve.promote('app');
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect((await handle.remote()).label).toBe('v2');
    expect(Object.keys(serve.status().apps)).toEqual(['app']);
    expect(trial(serve)).toBeUndefined();
    await serve.rollback('app');
    expect((await handle.remote()).label).toBe('v1');
  });

  test('aborted under load it loses nothing', async () => {
    await using serve = quietServe();
    const handle = await withTrial(serve, { canary: 0.5 });
    const outcomes = await steadyLoad(
      16,
      async () => (await handle.remote()).label,
      async (so) => {
        await eventually(() => so.of('v2') > 200);
        await serve.rollback('app');
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect(Object.keys(serve.status().apps)).toEqual(['app']);
    expect((await handle.remote()).label).toBe('v1');
  });

  test('a session stays with its version', async () => {
    await using serve = quietServe();
    const handle = await withTrial(serve, { canary: 0.5 });
    const seen = new Map<string, Set<string>>();
    await Promise.all(
      Array.from({ length: 400 }, async (_, index) => {
        const sessionId = `session-${index % 40}`;
        const { label } = await handle.options({ sessionId }).remote();
        seen.set(sessionId, (seen.get(sessionId) ?? new Set()).add(label));
      }),
    );
    expect([...seen.values()].every(({ size }) => size === 1)).toBe(true);
    expect(new Set([...seen.values()].flatMap((labels) => [...labels]))).toEqual(new Set(['v1', 'v2']));
  });

  test('its share changes in place', async () => {
    await using serve = quietServe();
    const handle = await withTrial(serve, { canary: 0 });
    const before = serve.status().apps['app@canary']?.deployments['Release']?.replicas[0]?.id;
    expect((await handle.remote()).label).toBe('v1');
    await serve.run(release.bind({ label: 'v2' }), { ...APP, canary: 1 });
    expect((await handle.remote()).label).toBe('v2');
    expect(serve.status().apps['app@canary']?.deployments['Release']?.replicas[0]?.id).toBe(before);
  });

  test('that does worse is taken back by itself', async () => {
    await using serve = quietServe();
    const handle = await withTrial(serve, { canary: 0.5 }, { label: 'v2', failing: 0.5 });
    const fault = event(serve, 'fault', ({ reason }) => reason === 'canary');
    await steadyLoad(
      8,
      async () => (await handle.remote()).label,
      () => fault,
    );
    expect((await fault).error).toMatchObject({
      message: expect.stringContaining('calls failed (before: 0'),
    });
    await eventually(() => Object.keys(serve.status().apps).length === 1);
    expect((await handle.remote()).label).toBe('v1');
  });

  test.each(['thread', 'inline'] as const)(
    'is taken back when a deployment fails behind an ingress that hides it: %s',
    async (isolation) => {
      await using serve = quietServe();
      const front = careful.options({ isolation });
      const handle = await serve.run(front.bind(release.bind({ label: 'v1' })), APP);
      await serve.run(front.bind(release.bind({ label: 'v2', failing: 0.5 })), { ...APP, canary: 0.5 });
      const fault = event(serve, 'fault', ({ reason }) => reason === 'canary');
      const outcomes = await steadyLoad(
        8,
        () => handle.remote(),
        () => fault,
      );
      expect((await fault).error).toMatchObject({
        message: expect.stringMatching(/canary rolled back: Release: \d+ of \d+ calls failed \(before: 0 of/),
      });
      expect(outcomes.errors).toEqual([]);
      await eventually(() => Object.keys(serve.status().apps).length === 1);
      expect(await handle.remote()).toBe('v1');
    },
  );

  test('is taken back when its ingress is inline, and fails itself', async () => {
    await using serve = quietServe();
    const inline = release.options({ isolation: 'inline' });
    const handle = await serve.run(inline.bind({ label: 'v1' }), APP);
    await serve.run(inline.bind({ label: 'v2', failing: 0.5 }), { ...APP, canary: 0.5 });
    const fault = event(serve, 'fault', ({ reason }) => reason === 'canary');
    await steadyLoad(
      8,
      async () => (await handle.remote()).label,
      () => fault,
    );
    expect((await fault).error).toMatchObject({ message: expect.stringContaining('calls failed') });
    await eventually(() => Object.keys(serve.status().apps).length === 1);
    expect((await handle.remote()).label).toBe('v1');
  });

  test('that does not start changes nothing', async () => {
    await using serve = quietServe();
    await expect(withTrial(serve, { canary: 0.5 }, { label: 'v2', start: 'throws' })).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
    });
    expect(Object.keys(serve.status().apps)).toEqual(['app']);
    expect(serve.ready()).toBe(true);
    expect((await serve.handle<typeof Release>('app').remote()).label).toBe('v1');
  });

  test('is a matter of the middleware as well', async () => {
    await using serve = quietServe();
    await serve.run(release.bind({ label: 'v1' }), APP);
    const app = express();
    const middleware = serve.middleware(release.bind({ label: 'v2' }), {
      ...APP,
      canary: 0.5,
      call: (req) => ({ sessionId: req.headers['x-user'] as string }),
    });
    app.use('/', middleware);
    await middleware.ready();
    await using server = await listen(app);
    const ask = async (user: number) => {
      const response = await fetch(`http://127.0.0.1:${server.port}`, {
        headers: { 'x-user': `user-${user}` },
      });
      return ((await response.json()) as { label: string }).label;
    };
    const labels = await Promise.all(Array.from({ length: 40 }, (_, user) => ask(user)));
    expect(new Set(labels)).toEqual(new Set(['v1', 'v2']));
    expect(await Promise.all(Array.from({ length: 40 }, (_, user) => ask(user)))).toEqual(labels);
  });

  test('needs an app to stand beside, and is not a shadow as well', async () => {
    await using serve = quietServe();
    await expect(serve.run(release.bind({ label: 'v2' }), { canary: 0.1 })).rejects.toMatchObject({
      code: 'SERVE_NOT_FOUND',
    });
    await serve.run(release.bind({ label: 'v1' }), APP);
    await expect(
      serve.run(release.bind({ label: 'v2' }), { ...APP, canary: 0.1, shadow: true }),
    ).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    await expect(serve.promote('app')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
  });
});

describe('a shadow', () => {
  const results = (serve: Serve) => {
    const report = trial(serve);
    return report?.kind === 'shadow' ? report.compared : undefined;
  };

  test('gets a copy of each call; what it makes of it is compared, and nobody else sees it', async () => {
    await using serve = quietServe();
    const shared = new Shared();
    const handle = await serve.run(priced.bind({ fee: 1 }), APP);
    await serve.run(priced.bind({ fee: 2, shared: shared.buffer }), { ...APP, shadow: true });
    const answers = await Promise.all(
      ['same', 'different', 'breaks', 'slow'].map((kind) => handle.remote(kind)),
    );
    expect(answers).toEqual([0, 1, 0, 0]);
    await expect(handle.remote('refused')).rejects.toThrow('refused');
    await shared.atLeast(0, 5);
    await eventually(() => results(serve)?.match === 3);
    expect(results(serve)).toEqual({ match: 3, mismatch: 1, error: 1, dropped: 0 });
    expect(await serve.metrics()).toContain(
      'serve_shadow_results_total{app="app",deployment="Priced",result="mismatch"} 1',
    );
    await serve.rollback('app');
    await handle.remote('same');
    expect(shared.get(0)).toBe(5);
  });

  test('compares HTTP answers by status and body', async () => {
    await using serve = quietServe();
    await serve.run(echo.bind(''), APP);
    const app = express();
    const middleware = serve.middleware(echo.bind('!'), { ...APP, shadow: true });
    app.use('/', middleware);
    await middleware.ready();
    await using server = await listen(app);
    for (const body of ['a', 'b', 'accent']) {
      const response = await fetch(`http://127.0.0.1:${server.port}`, { method: 'POST', body });
      expect([response.status, await response.text()]).toEqual([200, body]);
    }
    await eventually(() => results(serve)?.match === 2 && results(serve)?.mismatch === 1);
  });

  test('that is overloaded or dies costs its app nothing', async () => {
    await using serve = quietServe();
    const handle = await serve.run(priced.bind({ fee: 1 }), APP);
    const frail = priced.options({ maxOngoingRequests: 1, maxQueuedRequests: 1 });
    await serve.run(frail.bind({ fee: 1, dies: true }), { ...APP, shadow: true });
    const answers = await Promise.all(Array.from({ length: 200 }, () => handle.remote('same')));
    expect(answers).toEqual(Array(200).fill(0));
    await eventually(() => {
      const { match = 0, mismatch = 0, error = 0, dropped = 0 } = results(serve) ?? {};
      return match + mismatch + error + dropped === 200 && dropped > 0;
    });
  });

  test('is asked for values as they were, whatever the caller does with them', async () => {
    await using serve = quietServe();
    const handle = await serve.run(priced.bind({ fee: 1 }), APP);
    await serve.run(priced.bind({ fee: 1 }), { ...APP, shadow: true });
    const basket = { items: ['tea'] };
    const sum = handle.count.remote(basket);
    basket.items.push('scone');
    expect(await sum).toBe(1);
    await eventually(() => results(serve)?.match === 1);
  });
});
