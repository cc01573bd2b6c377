import { expect, test } from 'vitest';
import type { HostedDeployment } from '../deployment/app-spec.ts';
import { ServeError } from '../errors.ts';
import { EndpointRegistry } from '../handle/routing/endpoint-registry.ts';
import { ReplicaLoad } from '../load/load-table.ts';
import { ReplicaTally } from '../load/replica-tally.ts';
import type { ToHost, ToReplica } from '../replica/control.ts';
import type { Remains } from '../replica/thread-hooks/remains.ts';
import { ManagedReplica, type ReplicaOwner } from './managed-replica.ts';
import type { ReplicaExit } from './replica-exit.ts';
import type { LoopStack, ReplicaHost } from './replica-host.ts';

/** A replica without a thread. It answers what a test lets it answer, and notes how it is ended. */
class StubHost implements ReplicaHost {
  readonly load = new ReplicaLoad();
  readonly tally = new ReplicaTally();
  readonly lastSeen = 0;
  readonly log: string[] = [];
  /** Undefined: its event loop does not turn. */
  remains: Remains | undefined = undefined;
  endsByItself = false;
  readonly #exit = Promise.withResolvers<unknown>();
  #receive: (message: ToHost) => void = () => {};

  get exited(): Promise<unknown> {
    return this.#exit.promise;
  }

  listen(receive: (message: ToHost) => void): void {
    this.#receive = receive;
  }

  post(message: ToReplica): void {
    this.log.push(message.type);
    if (message.type === 'dispose' && this.remains !== undefined)
      this.say({ type: 'answer', id: message.id });
    if (message.type !== 'close' || this.remains === undefined) return;
    this.say({ type: 'answer', id: message.id, remains: this.remains });
    if (this.endsByItself) this.#exit.resolve(undefined);
  }

  say(message: ToHost): void {
    queueMicrotask(() => this.#receive(message));
  }

  async memory(): Promise<number> {
    return 0;
  }

  async loopStack(): Promise<LoopStack> {
    return { frames: undefined, why: 'there is no loop' };
  }

  link(): never {
    throw new Error('nobody calls');
  }

  /** Its thread ends by itself. */
  exit(): void {
    this.#exit.resolve(undefined);
  }

  destroy(): void {
    this.log.push('terminated');
    this.#exit.resolve(undefined);
  }
}

class Owner implements ReplicaOwner {
  readonly up = Promise.withResolvers<void>();
  readonly exits: ReplicaExit[] = [];

  ready(): void {
    this.up.resolve();
  }

  exited(_replica: ManagedReplica, exit: ReplicaExit): void {
    this.exits.push(exit);
  }

  reported(): void {}
  stuck(): void {}
  recovered(): void {}
  unresponsive(): void {}
  overMemory(): void {}
  unhealthy(): void {}
}

const SPEC = { name: 'D', version: '1', fingerprint: '1', options: {} } as unknown as HostedDeployment;
const PLACE = {
  app: 'app',
  instanceId: 'i',
  replicaId: 'D#1',
  rank: 0,
  gpus: [],
  callerIndex: 1,
  isTracked: false,
  env: {},
};

async function running(): Promise<{ host: StubHost; owner: Owner; replica: ManagedReplica }> {
  const [host, owner] = [new StubHost(), new Owner()];
  const replica = new ManagedReplica(host, PLACE, SPEC, new EndpointRegistry(), owner);
  host.say({ type: 'ready', methods: [], hasStats: false, hasHealthCheck: false });
  await owner.up.promise;
  return { host, owner, replica };
}

const DIED = new ServeError('SERVE_REPLICA_DIED', 'memory is short');

test('a replica whose event loop turns is not forced to end', async () => {
  const { host, owner, replica } = await running();
  host.remains = { hasLeftovers: false, hasAddons: true };
  host.endsByItself = true;
  await replica.drain({ graceMs: 1_000 });
  expect(host.log).toEqual(['drain', 'dispose', 'close']);
  expect(owner.exits).toMatchObject([{ isExpected: true, phase: undefined }]);
});

test('what a kill ends is not forced either, but its calls fail at once', async () => {
  const { host, owner, replica } = await running();
  host.remains = { hasLeftovers: false, hasAddons: true };
  host.endsByItself = true;
  await replica.destroy(DIED);
  expect(host.log).toEqual(['close']);
  expect(owner.exits).toMatchObject([{ isExpected: false, phase: undefined, error: DIED }]);
});

test('timers and sockets that are left open keep no replica without addons', async () => {
  const { host, replica } = await running();
  host.remains = { hasLeftovers: true, hasAddons: false };
  await replica.drain({ graceMs: 60_000 });
  expect(host.log).toEqual(['drain', 'dispose', 'close', 'terminated']);
});

test('a replica that does not end by itself is forced to after its limit', async () => {
  const { host, replica } = await running();
  host.remains = { hasLeftovers: true, hasAddons: true };
  await replica.drain({ graceMs: 1 });
  expect(host.log.at(-1)).toBe('close');
  await replica.gone;
  expect(host.log.at(-1)).toBe('terminated');
});

test('native work may go on beyond the grace: it is not forced to end, and not waited for', async () => {
  const { host, owner, replica } = await running();
  host.remains = { hasLeftovers: false, hasAddons: true };
  await replica.drain({ graceMs: 1 });
  expect([host.log.at(-1), owner.exits]).toEqual(['close', []]);
  host.exit();
  await replica.gone;
  expect([host.log.at(-1), owner.exits.length]).toEqual(['close', 1]);
});

test('an event loop that does not turn is forced to end', async () => {
  const { host, replica } = await running();
  await replica.drain({ graceMs: 1 });
  expect(host.log).toEqual(['drain', 'dispose', 'close', 'terminated']);
});

test('a replica that is known to be stuck is asked nothing', async () => {
  const { host, replica } = await running();
  replica.isStuck = true;
  await replica.destroy(DIED);
  expect(host.log).toEqual(['terminated']);
});

test('a failed start ends in order, with its phase', async () => {
  const [host, owner] = [new StubHost(), new Owner()];
  host.remains = { hasLeftovers: false, hasAddons: false };
  host.endsByItself = true;
  const replica = new ManagedReplica(host, PLACE, SPEC, new EndpointRegistry(), owner);
  host.say({ type: 'failed', phase: 'construct', error: { value: 'no weights', marks: undefined } });
  await replica.gone;
  expect(host.log).toEqual(['close']);
  expect(owner.exits).toMatchObject([{ isExpected: false, phase: 'construct', error: 'no weights' }]);
});
