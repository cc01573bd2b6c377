import { describe, expect, test } from 'vitest';
import type { AppSpec, DeploymentSpec } from '../deployment/app-spec.ts';
import { resolveOptions } from '../deployment/options/deployment-options.ts';
import { type RouteKey, routeKey } from '../handle/routing/directory.ts';
import { MemoryStore } from '../store/memory-store.ts';
import type { Snapshot } from '../store/snapshot.ts';
import type { Change, Store } from '../store/store.ts';
import { ManualClock } from '../time/manual-clock.ts';
import { ControllerLoop } from './loop.ts';

const KEY = routeKey('speech', 'Detector');
const TRIAL = { kind: 'canary', app: 'speech@canary', share: 0.1, seed: 7 } as const;

function speech(options: Parameters<typeof resolveOptions>[0]): AppSpec {
  const { env: _, autoscaling, ...resolved } = resolveOptions(options);
  const { policy: _policy, ...config } = autoscaling ?? {};
  const detector = {
    name: 'Detector',
    version: 'v1',
    fingerprint: 'v1',
    callees: [],
    options: { ...resolved, autoscaling: autoscaling && config },
  } as DeploymentSpec;
  return {
    name: 'speech',
    ingress: 'Detector',
    ingressClass: 'Detector',
    ingressFace: { http: true, webSocket: false },
    deployments: [detector],
  };
}

/** The loop with a store, and everything that it observes as a test says. */
class Bench {
  readonly clock = new ManualClock(0);
  readonly store: Store;
  readonly loop: ControllerLoop;
  readonly refused: unknown[] = [];
  readonly failed: string[] = [];
  /** Times at which it looked at the load. */
  readonly looks: number[] = [];
  /** What the load asks for. */
  wish: number | undefined = undefined;
  running: ReadonlySet<RouteKey> = new Set([KEY]);
  isReady = false;
  /** Happens once, in the midst of a decision. */
  onDecide: (() => void) | undefined = undefined;
  fault: string | undefined = undefined;

  constructor(store: Store = new MemoryStore()) {
    this.store = store;
    this.loop = new ControllerLoop({
      store,
      token: 1,
      clock: this.clock,
      autoscaling: {
        decide: (at) => {
          this.looks.push(at);
          const { onDecide } = this;
          this.onDecide = undefined;
          onDecide?.();
          return new Map(this.wish === undefined ? [] : [[KEY, this.wish]]);
        },
      },
      trials: {
        isReady: () => this.isReady,
        faultOf: () => this.fault,
        failed: (app, fault) => this.failed.push(`${app}: ${fault}`),
      },
      instances: {
        isRunning: (key) => this.running.has(key),
        space: (id) => ({ id, free: {}, gpus: [], replicas: 0 }),
      },
      onRefused: (error) => this.refused.push(error),
    });
  }

  say(change: Change): void {
    void this.store.propose(change, 1);
    this.loop.wake();
  }

  declare(options: Parameters<typeof resolveOptions>[0], instance = 'i'): void {
    this.say({ type: 'declare', instance, app: speech(options) });
  }

  get counts(): Snapshot['plan']['counts'] {
    return this.store.read().plan.counts;
  }
}

/** A store that takes its time, as one does that asks others. */
class SlowStore extends MemoryStore {
  readonly #waiting: Array<() => void> = [];

  override async propose(change: Change, token: number): Promise<Snapshot> {
    if (change.type === 'plan') await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return super.propose(change, token);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  async answer(): Promise<void> {
    this.#waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

describe('the controller loop', () => {
  test('plans what is declared, at once', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 3 });
    expect(bench.counts).toEqual({ [KEY]: { i: 3 } });
  });

  test('plans nothing for an inline deployment', () => {
    const bench = new Bench();
    bench.declare({ isolation: 'inline' });
    expect(bench.counts).toEqual({});
  });

  test('leaves replicas where they are, and adds others on the instance that has the fewest', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 3 }, 'a');
    bench.declare({ numReplicas: 3 }, 'b');
    expect(bench.counts).toEqual({ [KEY]: { a: 3, b: 0 } });
    bench.say({ type: 'scale', key: KEY, scale: { replicas: 5 } });
    expect(bench.counts).toEqual({ [KEY]: { a: 3, b: 2 } });
  });

  test('follows overrides and the target capacity', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 2 });
    bench.say({ type: 'scale', key: KEY, scale: { replicas: 6 } });
    expect(bench.counts[KEY]).toEqual({ i: 6 });
    bench.say({ type: 'capacity', capacity: { percent: 50, direction: 'up' } });
    expect(bench.counts[KEY]).toEqual({ i: 3 });
    bench.say({ type: 'scale', key: KEY, scale: undefined });
    expect(bench.counts[KEY]).toEqual({ i: 1 });
  });

  test('keeps an override when the app is declared anew', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 2 });
    bench.say({ type: 'scale', key: KEY, scale: { replicas: 6 } });
    bench.declare({ numReplicas: 3 });
    expect(bench.counts[KEY]).toEqual({ i: 6 });
  });

  test('follows the load, and keeps the number when the app is declared anew', () => {
    const bench = new Bench();
    bench.wish = 4;
    bench.declare({ autoscaling: { maxReplicas: 5 } });
    bench.wish = undefined;
    bench.declare({ autoscaling: { maxReplicas: 6 } });
    expect(bench.counts[KEY]).toEqual({ i: 4 });
  });

  test('keeps the number of what is no longer declared until it is gone', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 3 });
    bench.say({ type: 'withdraw', instance: 'i', app: 'speech' });
    expect(bench.counts[KEY]).toEqual({ i: 3 });
    bench.running = new Set();
    bench.loop.wake();
    expect(bench.counts).toEqual({});
  });

  test('looks as often as the deployments say, and at no other time', async () => {
    const bench = new Bench();
    bench.declare({ autoscaling: { metricsIntervalMs: 100 } });
    bench.looks.length = 0;
    await bench.clock.advance(350);
    expect(bench.looks).toEqual([100, 200, 300]);
    bench.declare({ numReplicas: 1 });
    bench.looks.length = 0;
    await bench.clock.advance(10_000);
    expect(bench.looks).toEqual([]);
  });

  test('proposes nothing when nothing changes', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 3 });
    const before = bench.store.read();
    bench.loop.wake();
    expect(bench.store.read()).toBe(before);
  });

  test('woken by a listener of the store, runs once more', () => {
    const bench = new Bench();
    bench.store.watch(({ plan }) => {
      if (plan.number !== 1) return;
      void bench.store.propose({ type: 'scale', key: KEY, scale: { replicas: 2 } }, 1);
      bench.loop.wake();
    });
    bench.declare({ numReplicas: 3 });
    expect(bench.counts[KEY]).toEqual({ i: 2 });
  });

  test('woken while it decides, decides once more', () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 1 });
    bench.onDecide = () => bench.declare({ numReplicas: 4 });
    bench.loop.wake();
    expect(bench.counts[KEY]).toEqual({ i: 4 });
  });

  test('waits for a store that takes its time, and then decides by what was said meanwhile', async () => {
    const store = new SlowStore();
    const bench = new Bench(store);
    bench.declare({ numReplicas: 3 });
    bench.declare({ numReplicas: 5 });
    bench.loop.wake();
    expect(store.waiting).toBe(1);
    await store.answer();
    expect(bench.counts[KEY]).toEqual({ i: 3 });
    await store.answer();
    expect(bench.counts[KEY]).toEqual({ i: 5 });
    expect(store.waiting).toBe(0);
  });

  test('a refused plan is told, and decided anew with the next pass', async () => {
    const bench = new Bench();
    bench.declare({ numReplicas: 3 });
    await bench.store.propose({ type: 'forget', app: 'speech' }, 9);
    void bench.store.propose({ type: 'declare', instance: 'i', app: speech({ numReplicas: 4 }) }, 9);
    bench.loop.wake();
    await new Promise((resolve) => setImmediate(resolve));
    expect(bench.refused).toEqual([expect.objectContaining({ code: 'SERVE_UNAVAILABLE' })]);
    expect(bench.counts[KEY]).toEqual({ i: 3 });
  });

  test('sends calls to a trial once it is ready, and until its next version is', () => {
    const bench = new Bench();
    bench.say({ type: 'trial', app: 'speech', trial: TRIAL });
    expect(bench.store.read().plan.shares).toEqual({});
    bench.isReady = true;
    bench.loop.wake();
    expect(bench.store.read().plan.shares).toEqual({ speech: TRIAL });
    bench.isReady = false;
    bench.say({ type: 'trial', app: 'speech', trial: { ...TRIAL, share: 0.5 } });
    expect(bench.store.read().plan.shares).toEqual({ speech: TRIAL });
    bench.say({ type: 'trial', app: 'speech', trial: undefined });
    expect(bench.store.read().plan.shares).toEqual({});
  });

  test('ends a canary that does worse than its app', async () => {
    const bench = new Bench();
    bench.isReady = true;
    bench.say({ type: 'trial', app: 'speech', trial: TRIAL });
    bench.fault = '9 of 10 calls failed';
    await bench.clock.advance(250);
    expect(bench.failed).toEqual(['speech: 9 of 10 calls failed']);
    const { overrides, plan } = bench.store.read();
    expect([overrides.trials, plan.shares]).toEqual([{}, {}]);
  });

  test('after its end decides nothing any more', async () => {
    const bench = new Bench();
    bench.declare({ autoscaling: { maxReplicas: 3 } });
    bench.loop.close();
    bench.looks.length = 0;
    bench.declare({ numReplicas: 3 });
    await bench.clock.advance(1_000);
    expect(bench.looks).toEqual([]);
  });
});
