import { afterEach, beforeEach, expect, test } from 'vitest';
import { UNKNOWN_CONFIG } from '../../handle/call/route-config.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import { type CallerPort, EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import { RegistryDirectory } from '../../handle/routing/registry-directory.ts';
import { Router } from '../../handle/routing/router.ts';
import { machineTime, type Timer, useTime } from '../../time/clock.ts';
import { FaultCounts } from '../../wire/wire-error.ts';
import { dialOptions } from './dial-options.ts';
import type { EndpointsStatus } from './endpoint-table.ts';
import { PeerHealth } from './health/peer-health.ts';
import { HostPeers } from './host-peers.ts';
import { PeerCounts } from './peer-counts.ts';

const MINUTE_MS = 60_000;
const LISTEN = { host: '127.0.0.1', port: 1 };

/** Time that a test moves on. */
let at = 0;
const timers = new Map<Timer, { readonly dueAt: number; readonly run: () => void }>();
let used: Disposable;

function advance(ms: number): void {
  at += ms;
  for (const [timer, { dueAt, run }] of [...timers]) if (dueAt <= at && timers.delete(timer)) run();
}

beforeEach(() => {
  at = 0;
  timers.clear();
  used = useTime({
    ...machineTime,
    now: () => at,
    after(ms, run) {
      const timer: Timer = { ref() {}, unref() {} };
      timers.set(timer, { dueAt: at + ms, run });
      return timer;
    },
    cancel: (timer) => void (timer && timers.delete(timer)),
  });
});

afterEach(() => used[Symbol.dispose]());

const MODEL: EndpointsStatus = {
  kind: 'endpoints',
  gone: [],
  endpoints: [
    {
      number: 1,
      app: 'app',
      deployment: 'Model',
      version: '1',
      methods: ['predict'],
      revision: 1,
      places: 4,
      replicas: [{ number: 1, id: 'Model#1' }],
      isIngress: true,
      config: UNKNOWN_CONFIG,
      maxQueued: 10,
    },
  ],
};

const KEY = routeKey('app', 'Model');
const [ONE, OTHER] = [2, 3].map((port) => ({ host: '127.0.0.1', port })) as [typeof LISTEN, typeof LISTEN];

/** The peers in one life of the fleet thread. */
function lifeOf(registry: EndpointRegistry): HostPeers {
  const options = { name: 'test', secrets: ['a secret of the fleet, for tests!'], listen: LISTEN };
  const peers = new HostPeers(
    registry,
    dialOptions(options, 'here', 1),
    { callerIndex: 1, post() {} },
    { health: new PeerHealth(machineTime), counts: new PeerCounts(), faults: new FaultCounts() },
    undefined,
  );
  registry.observe({
    configured: (key, config) => peers.configured(key, config),
    removed: (key) => peers.removed(key),
    ingress() {},
  });
  return peers;
}

function describe(peers: HostPeers, address: typeof LISTEN, instance: string): void {
  peers.up(address, instance, 1);
  peers.described(address, MODEL);
}

test('a deployment that only peers had is forgotten a minute after the last of them was lost', () => {
  const registry = new EndpointRegistry();
  const peers = lifeOf(registry);
  const isKnown = (): boolean => registry.load(KEY) !== undefined;
  describe(peers, ONE, 'one');
  describe(peers, OTHER, 'other');
  expect(isKnown()).toBe(true);
  peers.down(ONE, undefined);
  advance(MINUTE_MS - 10_000);
  peers.down(OTHER, undefined);
  // A minute after the first one was lost, and 10 s after the last one.
  advance(10_000);
  expect(isKnown()).toBe(true);
  advance(MINUTE_MS - 10_000);
  expect(isKnown()).toBe(false);
});

test('a life of the fleet thread that has ended forgets no deployment that peers have in the next one', () => {
  const registry = new EndpointRegistry();
  const ended = lifeOf(registry);
  describe(ended, ONE, 'one');
  describe(ended, OTHER, 'other');
  ended.down(OTHER, undefined);
  ended.close();
  describe(lifeOf(registry), ONE, 'one');
  advance(2 * MINUTE_MS);
  expect(registry.load(KEY)).toBeDefined();
});

test('a deployment that only peers had is forgotten in the next life of the fleet thread', () => {
  const registry = new EndpointRegistry();
  const ended = lifeOf(registry);
  describe(ended, ONE, 'one');
  ended.close();
  const next = lifeOf(registry);
  describe(next, ONE, 'one');
  advance(MINUTE_MS);
  expect(registry.load(KEY)).toBeDefined();
  next.down(ONE, undefined);
  advance(MINUTE_MS);
  expect(registry.load(KEY)).toBe(undefined);
});

test('a deployment that only peers had is forgotten if none has it in the next life of the fleet thread', () => {
  const registry = new EndpointRegistry();
  const ended = lifeOf(registry);
  describe(ended, ONE, 'one');
  ended.close();
  lifeOf(registry);
  advance(MINUTE_MS - 1);
  expect(registry.load(KEY)).toBeDefined();
  advance(1);
  expect(registry.load(KEY)).toBe(undefined);
});

test('a deployment of the instance itself is never forgotten', () => {
  const registry = new EndpointRegistry();
  const peers = lifeOf(registry);
  describe(peers, ONE, 'one');
  registry.configure(KEY, { ...UNKNOWN_CONFIG, version: '1' }, 10);
  peers.down(ONE, undefined);
  peers.close();
  lifeOf(registry);
  advance(2 * MINUTE_MS);
  expect(registry.load(KEY)).toBeDefined();
});

test('a deployment that only peers had is forgotten at once when its app is deleted, and not before they have ended it', () => {
  const registry = new EndpointRegistry();
  const peers = lifeOf(registry);
  const isKnown = (): boolean => registry.load(KEY) !== undefined;
  describe(peers, ONE, 'one');
  describe(peers, OTHER, 'other');
  peers.ended(['app']);
  expect(isKnown()).toBe(true);
  peers.down(ONE, undefined);
  expect(isKnown()).toBe(true);
  peers.down(OTHER, undefined);
  expect(isKnown()).toBe(false);
  // It is deployed again, lost, and deleted after that.
  peers.ended([]);
  describe(peers, ONE, 'one');
  peers.down(ONE, undefined);
  expect(isKnown()).toBe(true);
  peers.ended(['app']);
  expect(isKnown()).toBe(false);
  advance(2 * MINUTE_MS);
});

test('a caller of the host that comes while calls end at a withdrawn endpoint is connected with its successor only', () => {
  const registry = new EndpointRegistry();
  const peers = lifeOf(registry);
  const port: CallerPort = {
    caller: { index: 0, instanceId: 'here', name: 'here.0' },
    send: (event) => router.apply(event),
  };
  const router = new Router(port.caller, new RegistryDirectory(registry, port), {
    connectors: { peer: { connect: (link, onGone) => peers.connect(link, onGone) } },
    onUnobserved() {},
  });
  describe(peers, ONE, 'one');
  const endpointsOf = (deployment: string): string[] =>
    router.route('app', deployment, routeKey('app', deployment)).endpoints.map(({ version }) => version);
  expect(endpointsOf('Model')).toEqual(['1']);
  const [old] = router.route('app', 'Model', KEY).endpoints;
  // A call is about to be sent there.
  old?.channel.reserveBeyondLimit();
  const [model] = MODEL.endpoints;
  if (model === undefined) throw new Error('no endpoint is described');
  peers.described(ONE, { kind: 'endpoints', endpoints: [{ ...model, number: 2, version: '2' }], gone: [1] });
  expect(endpointsOf('')).toEqual(['2']);
  peers.close();
  router.close(undefined);
});
