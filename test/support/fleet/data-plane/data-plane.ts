import {
  inVirtualTime,
  MESSAGE_MS,
  type VirtualThread,
  type VirtualTime,
} from '../../../../sim/engine/virtual-time.ts';
import type { PeerAddress } from '../../../../src/cluster/fleet-options.ts';
import type { Dial } from '../../../../src/cluster/peers/peer-client.ts';
import { ServeError } from '../../../../src/errors.ts';
import { Call } from '../../../../src/handle/call/call.ts';
import { outcomeOf } from '../../../../src/handle/call/outcome.ts';
import type { Route } from '../../../../src/handle/routing/route.ts';
import type { Session } from '../../../../src/wire/handshake.ts';
import { DataInstance } from './data-instance.ts';
import { isMemoryOf, memoryOf } from './data-replica.ts';
import { SimulatedSocket } from './simulated-wire.ts';

/** Time that a dial takes before it fails, in ms. */
const REFUSAL_MS = 1;
/** Time after the last fault within which every call has to end, in ms: longer than any back-off, ping or timer. */
const REST_MS = 60_000;

/** Time after the last call within which the instances are done with it, in ms. */
const REST_AT_HOST_MS = 200;

/** How one call went. */
export interface CallRecord {
  readonly id: number;
  /** Number of the first call with the same idempotency key, whose arguments the call has; its own without a key. */
  readonly model: number;
  readonly ms: number;
  /** Length of the memory that the call brings along, in bytes. */
  readonly length: number;
  readonly key: string | undefined;
  readonly sessionId: string | undefined;
  /** Instance at which the call entered. */
  readonly entry: string;
  /** Number of times that a replica began the call. */
  runs: number;
  /** Number of times that the caller was told the end. */
  ends: number;
  outcome: string | undefined;
}

class DataCall extends Call {
  readonly #record: CallRecord;

  constructor(route: Route, record: CallRecord) {
    super(route, 'call');
    this.#record = record;
    const { model, ms, length } = record;
    this.args = [model, ms, length];
    if (length > 0) {
      const bytes = memoryOf(model, length);
      this.args = [...this.args, bytes];
      this.transfer = [bytes.buffer];
      this.bytes = length;
    }
    const { id, key, sessionId } = record;
    if (key !== undefined || sessionId !== undefined)
      this.meta = {
        requestId: `r${id}`,
        ...(key !== undefined && { idempotencyKey: key }),
        ...(sessionId !== undefined && { sessionId }),
      };
  }

  protected override onResult(value: unknown): void {
    const { model, length } = this.#record;
    const [id, bytes] = value as [number, Uint8Array | undefined];
    if (id !== model) this.#end('the result of another call');
    else this.#end(bytes === undefined || isMemoryOf(model, length, bytes) ? 'ok' : 'other memory');
  }

  protected override onError(error: unknown): void {
    this.#end(outcomeOf(error));
  }

  protected override onOpen(): void {}
  protected override onChunk(): void {}
  protected override onEnd(): void {}

  #end(outcome: string): void {
    this.#record.outcome = outcome;
    this.#record.ends++;
  }
}

export interface DataPlaneOptions {
  /** Places of the replicas of each instance. */
  readonly replicas: readonly (readonly number[])[];
  readonly idempotent: boolean;
  /** Bounds of the time that a message is under way, in ms. */
  readonly delayMs: readonly [from: number, to: number];
}

/** Instances that call each other in virtual time, over connections that break. */
export class DataPlane {
  readonly time: VirtualTime;
  readonly calls: CallRecord[] = [];
  /** Calls that began at a replica without a free place. */
  excess = 0;
  /** Calls whose memory did not arrive as it was sent. */
  readonly spoiled: number[] = [];
  readonly instances: DataInstance[] = [];
  readonly #options: DataPlaneOptions;
  /** Pairs of instances between which nothing passes. */
  readonly #partitions = new Set<string>();

  constructor(time: VirtualTime, options: DataPlaneOptions) {
    this.time = time;
    this.#options = options;
    for (const index of options.replicas.keys()) this.#start(index, 1);
    for (const instance of this.instances) this.#introduce(instance);
  }

  between(from: number, to: number): number {
    return from + this.time.random() * (to - from);
  }

  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.time.random() * items.length)];
  }

  /** A call enters at an instance. @param key its idempotency key @param length of its memory, in bytes */
  call(
    instance: DataInstance,
    ms: number,
    deadlineMs: number | undefined,
    key: string | undefined,
    length: number,
    sessionId?: string,
    route: Route = instance.route,
  ): void {
    const id = this.calls.length;
    const first = key === undefined ? undefined : this.calls.find((call) => call.key === key);
    const record = {
      id,
      model: first?.model ?? id,
      ms: first?.ms ?? ms,
      length: first?.length ?? length,
      key,
      sessionId,
      entry: instance.options.name,
      runs: 0,
      ends: 0,
      outcome: undefined,
    };
    this.calls.push(record);
    this.time.inThread(instance.host, () => {
      const call = new DataCall(route, record);
      route.begin(call, deadlineMs === undefined ? 0 : this.time.now() + deadlineMs);
      route.dispatch(call);
    });
  }

  /** A connection of the instance breaks. */
  cut(instance: DataInstance): void {
    const open = [...instance.sockets].filter(({ isEnded }) => !isEnded);
    this.pick(open)?.cut();
  }

  /** A connection of the instance loses all that is sent from now on, and nobody is told. */
  mute(instance: DataInstance): void {
    const socket = this.pick([...instance.sockets].filter(({ isEnded }) => !isEnded));
    for (const end of [socket, socket?.other]) if (end !== undefined) end.isMuted = true;
  }

  /** Nothing passes between two instances for a while; connections stay open. */
  partition(one: DataInstance, other: DataInstance, ms: number): void {
    const pair = pairOf(one.options.address, other.options.address);
    this.#partitions.add(pair);
    const shared = [...one.sockets].filter((socket) => other.sockets.has(socket.other as SimulatedSocket));
    for (const socket of shared) {
      socket.isMuted = true;
      (socket.other as SimulatedSocket).isMuted = true;
    }
    this.time.at(this.time.now() + ms, () => {
      this.#partitions.delete(pair);
      // What was under way is lost with its connection, as both ends find out at the latest now.
      for (const socket of shared) socket.cut();
    });
  }

  /** An instance is killed, and starts anew after a while. */
  restart(index: number, ms: number): void {
    const instance = this.instances[index];
    if (instance?.isAlive !== true) return;
    instance.kill();
    this.time.at(this.time.now() + ms, () => this.#introduce(this.#start(index, instance.options.epoch + 1)));
  }

  /** Ends what is open, and lets the timers of calls end. */
  async close(): Promise<void> {
    for (const instance of this.instances) if (instance.isAlive) instance.kill();
    await this.time.advanceTo(this.time.now() + 200);
  }

  #start(index: number, epoch: number): DataInstance {
    const { replicas, idempotent } = this.#options;
    const instance = new DataInstance(this.time, {
      name: `i${index}`,
      epoch,
      address: { host: '127.0.0.1', port: 1_000 + index },
      replicas: replicas[index] ?? [],
      config: { idempotent },
      log: {
        began: (id, isExcess) => {
          (this.calls[id] as CallRecord).runs++;
          if (isExcess) this.excess++;
        },
        spoiled: (id) => this.spoiled.push(id),
      },
      dial: (from, thread) => this.#dial(from, thread),
    });
    this.instances[index] = instance;
    return instance;
  }

  /** The instance keeps links to those that have replicas, and they to it. */
  #introduce(instance: DataInstance): void {
    for (const other of this.instances)
      if (other !== instance && (this.#options.replicas[this.instances.indexOf(other)] ?? []).length > 0)
        instance.meet(other.options.address);
  }

  #dial(from: DataInstance, thread: VirtualThread): Dial {
    return ({ port }, onOpen) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const there = this.#target(port);
      const delayMs = (): number => this.between(...this.#options.delayMs);
      this.time.at(this.time.now() + 2 * delayMs() + REFUSAL_MS, () => {
        const isCut =
          there !== undefined && this.#partitions.has(pairOf(from.options.address, there.options.address));
        if (!from.isAlive || there?.isAlive !== true || isCut) {
          reject(new ServeError('SERVE_UNAVAILABLE', 'no link'));
          return;
        }
        const ends = {
          caller: new SimulatedSocket(this.time, thread, delayMs),
          callee: new SimulatedSocket(this.time, there.fleet, delayMs),
        };
        ends.caller.connect(ends.callee);
        from.sockets.add(ends.caller);
        there.sockets.add(ends.callee);
        this.time.inThread(there.fleet, () => there.accept(sessionOf('listener', from), ends.callee));
        onOpen(sessionOf('dialer', there), ends.caller);
        resolve();
      });
      return promise;
    };
  }

  #target(port: number): DataInstance | undefined {
    return this.instances[port - 1_000];
  }
}

function sessionOf(role: 'dialer' | 'listener', { options: { name, epoch } }: DataInstance): Session {
  return { role, version: 1, instance: name, epoch, maxPayload: 1_000_000, views: 16, rttMs: 2 * MESSAGE_MS };
}

function pairOf(one: PeerAddress, other: PeerAddress): string {
  return [one.port, other.port].sort().join('-');
}

/** What a script of random faults left behind. */
export interface DataOutcome {
  readonly seed: number;
  readonly script: readonly string[];
  readonly violations: readonly string[];
  /** Number of calls by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  readonly refusals: number;
  /** Number of calls with a key that did not run, since another call did. */
  readonly shared: number;
}

/** Runs calls while connections break, instances are cut off and killed, and replicas come and go. @param calls number of calls */
export function runDataPlane(seed: number, calls: number): Promise<DataOutcome> {
  return inVirtualTime(seed, async (time) => {
    const idempotent = time.random() < 0.5;
    const slowest = time.random() < 0.3 ? 20 : 1;
    const plane = new DataPlane(time, {
      replicas: [[2], [1, 2], [3], [], []],
      idempotent,
      delayMs: [0.05, slowest],
    });
    const script: string[] = [];
    const serving = 3;
    await time.advanceTo(100);
    const meanMs = plane.between(0.6, 3);
    const arrive = (left: number): void => {
      if (left === 0) return;
      time.at(time.now() - meanMs * Math.log(1 - time.random()), () => {
        const instance = plane.pick(plane.instances.filter(({ isAlive }) => isAlive));
        const deadlineMs = time.random() < 0.3 ? plane.between(5, 200) : undefined;
        const key = time.random() < 0.3 ? plane.pick(['a', 'b', 'c']) : undefined;
        const length = time.random() < 0.15 ? Math.floor(plane.between(70_000, 300_000)) : 0;
        if (instance !== undefined) plane.call(instance, plane.between(0.2, 12), deadlineMs, key, length);
        arrive(left - 1);
      });
    };
    arrive(calls);
    const faults = Math.floor(plane.between(0, 9));
    let lastAt = time.now();
    for (let fault = 0; fault < faults; fault++) {
      const at = time.now() + plane.between(5, calls * meanMs);
      const ms = plane.between(1, time.random() < 0.2 ? 12_000 : 100);
      lastAt = Math.max(lastAt, at + ms);
      const kind = plane.pick([
        'cut',
        'cut',
        'mute',
        'partition',
        'restart',
        'replica dies',
        'replica comes',
      ]) as string;
      const index = Math.floor(time.random() * serving);
      time.at(at, () => {
        const instance = plane.instances[index] as DataInstance;
        script.push(`${at.toFixed(1)}: ${kind} ${instance.options.name} ${ms.toFixed(1)}`);
        if (!instance.isAlive) return;
        if (kind === 'cut') plane.cut(instance);
        else if (kind === 'mute') plane.mute(instance);
        else if (kind === 'partition')
          plane.partition(
            instance,
            plane.instances[(index + 1 + Math.floor(time.random() * 4)) % 5] as DataInstance,
            ms,
          );
        else if (kind === 'restart') plane.restart(index, ms);
        else if (kind === 'replica comes') instance.startReplica(Math.ceil(plane.between(0, 4)));
        else if (instance.replicas.size > 1)
          instance.killReplica(plane.pick([...instance.replicas.keys()]) as string);
      });
    }
    for (let at = lastAt; at < lastAt + REST_MS; at += 500) {
      await time.advanceTo(Math.max(time.now(), at));
      if (plane.calls.length === calls && plane.calls.every(({ ends }) => ends > 0)) break;
    }
    const violations = violationsOf(plane, calls, idempotent, faults === 0);
    // An instance that is cut off does not learn that its callers have given up.
    if (!script.some((line) => /mute|partition/.test(line))) {
      await time.advanceTo(time.now() + REST_AT_HOST_MS);
      for (const { isAlive, options, landed } of plane.instances)
        if (isAlive && landed !== 0) violations.push(`${landed} calls wait at ${options.name} in the end`);
    }
    const outcomes: Record<string, number> = {};
    for (const { outcome = 'open' } of plane.calls) outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    const refusals = plane.instances.reduce((sum, { counts }) => sum + counts.refused, 0);
    const shared = plane.instances.reduce((sum, instance) => sum + instance.shared, 0);
    await plane.close();
    for (const { id, ends } of plane.calls) if (ends > 1) violations.push(`call ${id} ended ${ends} times`);
    return { seed, script, violations, outcomes, refusals, shared };
  });
}

function violationsOf(
  { calls, excess, spoiled }: DataPlane,
  made: number,
  idempotent: boolean,
  isQuiet: boolean,
): string[] {
  const violations: string[] = [];
  if (calls.length !== made) violations.push(`${calls.length} of ${made} calls were made`);
  if (spoiled.length > 0) violations.push(`the memory of these calls arrived otherwise: ${spoiled.join()}`);
  if (excess > 0) violations.push(`${excess} calls began without a free place`);
  for (const { id, model, entry, ends, outcome } of calls) {
    const { runs } = calls[model] as CallRecord;
    const what = `call ${id} of ${entry}: ${outcome ?? 'open'}, began ${runs} times`;
    if (ends !== 1) violations.push(`${what}, ended ${ends} times`);
    // Each call with a key may be the one that runs.
    const withKey = calls.filter((call) => call.model === model).length;
    if (!idempotent && runs > withKey) violations.push(what);
    if (outcome === 'ok' && runs === 0) violations.push(what);
    if (!['ok', 'died', 'timeout', 'error', 'rejected', undefined].includes(outcome)) violations.push(what);
    if (isQuiet && outcome !== 'ok' && outcome !== 'timeout') violations.push(what);
  }
  return violations;
}
