import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeReplica, TestCall } from '../../../test/support/routing/fake-replica.ts';
import { Harness } from '../../../test/support/routing/route-harness.ts';
import { eventually } from '../../../test/support/until.ts';
import { ServeError } from '../../errors.ts';
import { DeploymentLoad, QueueLedger } from '../../load/deployment-load.ts';
import { SessionTable } from '../../load/session-table.ts';
import { UNKNOWN_CONFIG } from '../call/route-config.ts';
import { type RouteKey, routeKey } from './directory.ts';
import type { Route } from './route.ts';
import { Router } from './router.ts';
import { threadConnector } from './thread-link.ts';

/** Waits for a freed place that have not ended. */
const pending = new Set<object>();

beforeEach(() => {
  pending.clear();
  // Nothing looks after waiting calls every so often.
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { waitAsync } = Atomics;
  vi.spyOn(Atomics, 'waitAsync').mockImplementation(((...args: Parameters<typeof waitAsync>) => {
    const wait = waitAsync(...args);
    if (wait.async) {
      pending.add(wait);
      void wait.value.then(() => pending.delete(wait));
    }
    return wait;
  }) as typeof waitAsync);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const GONE = new ServeError('SERVE_NOT_FOUND', 'it is gone');

class Thread {
  readonly router = new Router(
    { index: 1, instanceId: 'instance', name: 'i' },
    { subscribe() {}, replaced() {}, lost() {} },
    {
      connectors: { thread: threadConnector, inline: { connect: () => Promise.reject(GONE) } },
      onUnobserved() {},
    },
  );

  route(app: string): { route: Route; key: RouteKey } {
    const key = routeKey(app, '');
    return { route: this.router.route(app, '', key), key };
  }

  tables(key: RouteKey, load: DeploymentLoad, deployment = 'Model'): void {
    const queue = new QueueLedger().shared;
    const sessions = new SessionTable().shared;
    const config = { ...UNKNOWN_CONFIG };
    this.router.apply({
      type: 'route',
      key,
      app: 'app',
      deployment,
      load: load.shared,
      queue,
      sessions,
      config,
    });
  }

  call(route: Route): TestCall {
    const call = new TestCall(route, 'call');
    route.begin(call, 0);
    route.dispatch(call);
    return call;
  }
}

function shared(): DeploymentLoad {
  const load = new DeploymentLoad();
  load.maxQueued = -1;
  return load;
}

describe('waits for a freed place', () => {
  test('a call that comes before the shared tables is sent as soon as a place is freed', async () => {
    const thread = new Thread();
    const { route, key } = thread.route('app');
    const early = thread.call(route);
    expect(pending.size).toBe(0);

    const load = shared();
    thread.tables(key, load);
    const replica = new FakeReplica('r0', 0);
    route.add(replica.endpoint);
    expect([pending.size, load.queued, replica.open]).toEqual([1, 1, []]);

    // By another thread: this one hears of it in the tables alone.
    replica.limit = 1;
    load.announceFreed();
    await eventually(() => replica.open[0] === early);
    expect([pending.size, load.queued]).toEqual([0, 0]);
    thread.router.close(GONE);
  });

  test('calls to apps that are not there leave nothing behind', async () => {
    const thread = new Thread();
    for (let index = 0; index < 100; index++) {
      const { route, key } = thread.route(`made-up-${index}`);
      const call = thread.call(route);
      thread.router.apply({ type: 'gone', key, error: GONE });
      expect(call.outcome).toBe('SERVE_NOT_FOUND');
    }
    expect(pending.size).toBe(0);
    expect([...thread.router.routes()]).toEqual([]);
    expect(thread.router.takeStats()).toEqual([]);
  });

  test('a deployment that is deleted while calls wait for it leaves no wait behind', async () => {
    const thread = new Thread();
    const { route, key } = thread.route('app');
    const load = shared();
    thread.tables(key, load);
    const call = thread.call(route);
    expect(pending.size).toBe(1);
    thread.router.apply({ type: 'gone', key, error: GONE });
    expect([call.outcome, load.queued]).toEqual(['SERVE_NOT_FOUND', 0]);
    await eventually(() => pending.size === 0);
  });

  test('an app whose ingress is another deployment from now on: its calls wait for that one', async () => {
    const thread = new Thread();
    const { route, key } = thread.route('app');
    const [before, after] = [shared(), shared()];
    thread.tables(key, before);
    const call = thread.call(route);
    thread.router.apply({ type: 'moved', key });
    thread.tables(key, after, 'Other');
    expect([before.queued, after.queued]).toEqual([0, 1]);
    await eventually(() => pending.size === 1);

    const replica = new FakeReplica('r0', 0);
    route.add(replica.endpoint);
    replica.limit = 1;
    after.announceFreed();
    await eventually(() => replica.open[0] === call);
    thread.router.close(GONE);
  });

  test('a call that is cancelled while it waits ends the wait with the next freed place', async () => {
    const harness = new Harness();
    harness.start(0);
    harness.call().cancel();
    expect(pending.size).toBe(1);
    harness.load.announceFreed();
    await eventually(() => pending.size === 0);
  });
});

test('a deployment that is deleted and deployed again is one entry of the counts', () => {
  const thread = new Thread();
  for (let round = 0; round < 50; round++) {
    const { route, key } = thread.route('app');
    thread.tables(key, shared());
    if (round % 2 === 0) thread.call(route);
    thread.router.apply({ type: 'gone', key, error: GONE });
  }
  const [counted, ...others] = thread.router.takeStats();
  expect(others).toEqual([]);
  expect(counted).toMatchObject({ app: 'app', deployment: 'Model' });
  expect(counted?.series).toMatchObject([{ method: 'other', outcome: 'rejected', count: 25 }]);
  expect(thread.router.takeStats()).toEqual([]);
});
