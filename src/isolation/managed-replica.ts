import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { HostedDeployment } from '../deployment/app-spec.ts';
import { ServeError } from '../errors.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import { routeKey } from '../handle/routing/directory.ts';
import type { CallerPort, EndpointRegistry, Reachable } from '../handle/routing/endpoint-registry.ts';
import { REPLICA_STATE, ReplicaLoad } from '../load/load-table.ts';
import { ReplicaTally } from '../load/replica-tally.ts';
import type { IngressDescription } from '../openapi/openapi-types.ts';
import type { OpenCalls, StartPhase, ToHost, ToReplica } from '../replica/control.ts';
import { activeTime } from '../time/active-time.ts';
import { now } from '../time/clock.ts';
import { inRootContext } from '../time/root-context.ts';
import { within, withTimeout } from '../time/timeout.ts';
import { pack, packError, unpack } from '../values/pack.ts';
import { callsEnded, type Draining, type DrainLimits, endLimit } from './drain.ts';
import { howItEnded, type ReplicaExit } from './replica-exit.ts';
import { launch, type ReplicaPlace, tickPeriod } from './thread/launch.ts';
import type { PooledThread, ThreadPool, ThreadWorker } from './thread/thread.ts';

/** `RUNNING` and `STOPPING` as in Ray; `STUCK` is running with an event loop that does not turn, and no call begins or ends. */
export type ReplicaState = 'STARTING' | 'RUNNING' | 'STOPPING' | 'STOPPED';

/** It is busy, or user code that takes part hangs. */
const DESCRIBE_TIMEOUT_MS = 10_000;

/** What a question to the replica's thread is answered with. */
type Answer = Omit<Extract<ToHost, { type: 'answer' }>, 'type' | 'id'>;

export interface ReplicaEvents {
  ready(replica: ManagedReplica): void;
  exited(replica: ManagedReplica, exit: ReplicaExit): void;
  message(replica: ManagedReplica, message: ToHost): void;
}

/** A thread that does not answer its end is terminated after so long, in ms. */
const DISPOSE_GRACE_MS = 1_000;
/** Beyond this `terminate()` counts as failed: native code blocks the thread. */
const TERMINATE_TIMEOUT_MS = 2_000;

/**
 * The host's side of one replica in a worker thread: starts it, talks with it over its control port, and sees to it that
 * its end is known everywhere.
 */
export class ManagedReplica implements Reachable, Draining {
  readonly replicaId: string;
  readonly instanceId: string;
  readonly version: string;
  readonly fingerprint: string;
  readonly load = new ReplicaLoad();
  readonly tally = new ReplicaTally();
  /** Time of `activeTime`. */
  readonly startedAt: number = activeTime.now();
  /** Its event loop does not turn. */
  isStuck = false;
  /** Terminated, but its thread is still there: blocked in native code. */
  isZombie = false;
  /** Something is wrong with it: it serves till another one has taken its place. */
  isUnfit = false;
  methods: readonly string[] = [];
  /** The last one that it was told. */
  userConfig: unknown;
  /** It has the hook `recordAutoscalingStats`. */
  hasStats = false;
  /** It has the hook `checkHealth`. */
  hasHealthCheck = false;
  #state: ReplicaState = 'STARTING';
  #rank: number;
  readonly #place: ReplicaPlace;
  readonly #key: RouteKey;
  readonly #registry: EndpointRegistry;
  readonly #events: ReplicaEvents;
  readonly #control: MessagePort;
  readonly #thread: PooledThread;
  readonly #callerPort: CallerPort;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #begun = new Map<number, () => void>();
  readonly #started = Promise.withResolvers<void>();
  readonly #gone = Promise.withResolvers<void>();
  #questions = 0;
  #failure: { readonly phase: StartPhase | undefined; readonly error: unknown } | undefined = undefined;
  #isExpected = false;
  #hasRun = false;
  #onDrained: () => void = () => {};

  constructor(
    place: ReplicaPlace,
    spec: HostedDeployment,
    pool: ThreadPool,
    deploymentLoad: SharedArrayBuffer,
    registry: EndpointRegistry,
    events: ReplicaEvents,
  ) {
    this.#place = place;
    this.replicaId = place.replicaId;
    this.instanceId = place.instanceId;
    this.#rank = place.rank;
    this.version = spec.version;
    this.fingerprint = spec.fingerprint;
    this.userConfig = spec.options.userConfig;
    this.#key = routeKey(place.app, spec.name);
    this.#registry = registry;
    this.#events = events;
    this.load.limit = spec.options.maxOngoingRequests;
    this.load.tick(now());
    const { port1, port2 } = inRootContext(() => new MessageChannel());
    this.#control = port1;
    inRootContext(() => port1.on('message', (message: ToHost) => this.#receive(message)));
    port1.unref();
    this.#callerPort = {
      caller: {
        index: place.callerIndex,
        instanceId: place.instanceId,
        name: `${place.instanceId}.${place.callerIndex}`,
      },
      send: (event, transfer) => {
        const error = 'error' in event ? packError(event.error) : undefined;
        this.#post(
          { type: 'directory', event: { ...event, error: undefined } as never, ...(error && { error }) },
          transfer,
        );
      },
    };
    registry.addCaller(this.#callerPort);
    const shared = { load: this.load.shared, deploymentLoad, tally: this.tally.shared };
    this.#thread = inRootContext(() => launch(place, spec, pool, shared, port2));
    this.#watch(this.#thread.worker);
  }

  get state(): ReplicaState {
    return this.#state;
  }

  /** No other replica of the deployment has it. */
  get rank(): number {
    return this.#rank;
  }

  get app(): string {
    return this.#place.app;
  }

  get deployment(): string {
    const [, deployment = ''] = this.#key.split('/');
    return deployment;
  }

  /** Calls that hold a place; none once its thread is gone. */
  get ongoing(): number {
    return this.#isAlive() ? this.load.ongoing : 0;
  }

  /** Whether it takes calls. */
  get isRoutable(): boolean {
    return this.#state === 'RUNNING' && !this.isStuck;
  }

  /** Resolves when the thread is gone, or is known never to go. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  get threadId(): number {
    return this.#thread.worker.threadId;
  }

  /** Bytes on and off its heap. Answered in 0.2 ms even while the thread spins; 0 if it is gone. */
  async memory(): Promise<number> {
    try {
      const { used_heap_size, external_memory } = await this.#thread.worker.getHeapStatistics();
      return used_heap_size + external_memory;
    } catch {
      return 0;
    }
  }

  /** Takes another rank, free now. */
  take(rank: number): void {
    this.#rank = rank;
    this.#post({ type: 'rank', rank }, []);
  }

  attach(callerName: string, port: MessagePort, ledger: SharedArrayBuffer): void {
    this.#post({ type: 'attach', callerName, port, ledger }, [port]);
  }

  /** Rejects with what `reconfigure` threw, or when it takes longer than `timeoutMs`. */
  async reconfigure(userConfig: unknown, timeoutMs: number): Promise<void> {
    this.userConfig = userConfig;
    const packed = pack(userConfig, 'userConfig');
    const reconfigured = this.#ask((id) => ({ type: 'reconfigure', id, userConfig: packed }));
    const overdue = () => new ServeError('SERVE_TIMEOUT', `reconfigure() took longer than ${timeoutMs} ms`);
    await withTimeout(reconfigured, timeoutMs, overdue, false);
  }

  /** How soon a silent event loop counts as stuck, from now on. */
  watchLoop(stuckAfterMs: number): void {
    this.#post({ type: 'tick', tickMs: tickPeriod(stuckAfterMs) }, []);
  }

  /** Asks its hook `checkHealth`. @param onBegun its thread has come to the question: the check begins */
  checkHealth(onBegun: () => void): Promise<void> {
    return this.#ask((id) => {
      this.#begun.set(id, onBegun);
      return { type: 'checkHealth', id };
    });
  }

  /** Asks its hook `recordAutoscalingStats`. */
  async autoscalingStats(): Promise<Readonly<Record<string, number>>> {
    const { stats } = await this.#question((id) => ({ type: 'autoscalingStats', id }));
    return stats ?? {};
  }

  /** What its ingress has to say for OpenAPI. */
  async describe(): Promise<IngressDescription> {
    const answer = this.#question((id) => ({ type: 'describe', id }));
    const { description } = await withTimeout(answer, DESCRIBE_TIMEOUT_MS, () => {
      const { app, replicaId: replica } = this.#place;
      const message = `${replica} did not describe itself within ${DESCRIBE_TIMEOUT_MS} ms`;
      return new ServeError('SERVE_TIMEOUT', message, { app, replica });
    });
    return description ?? { routes: [] };
  }

  /** Takes no more calls, finishes those it has, runs the destructor, ends the thread. */
  async drain(limits: DrainLimits): Promise<void> {
    if (this.#state === 'STOPPING' || this.#state === 'STOPPED') return this.gone;
    const wasRunning = this.#state === 'RUNNING';
    const since = activeTime.now();
    this.#state = 'STOPPING';
    this.#isExpected = true;
    this.load.setState(REPLICA_STATE.draining);
    if (wasRunning) {
      this.#post({ type: 'drain' }, []);
      await callsEnded(this, limits);
      if (this.#isAlive())
        await within(
          endLimit(limits, since, DISPOSE_GRACE_MS),
          this.#ask((id) => ({ type: 'dispose', id })),
        );
      this.#disconnect(this.#died('it was stopped before the call ended'));
    }
    const limitMs = (): number => endLimit(limits, since, TERMINATE_TIMEOUT_MS);
    if (this.#isAlive()) await within(limitMs(), this.#thread.retire());
    if (this.#isAlive()) await within(limitMs(), this.#terminate());
  }

  /** Ends the thread at once. Its calls fail with `error`. */
  async kill(error: ServeError): Promise<void> {
    if (this.#state === 'STOPPED') return;
    this.#state = 'STOPPING';
    this.#failure ??= { phase: undefined, error };
    this.load.setState(REPLICA_STATE.dead);
    this.#disconnect(error);
    await this.#terminate();
  }

  #watch(worker: ThreadWorker): void {
    worker.on('error', (error) => {
      this.#failure ??= { phase: undefined, error };
    });
    worker.on('exit', (code) => {
      this.#failure ??= { phase: undefined, error: new Error(`the thread exited with code ${code}`) };
      this.#end();
    });
  }

  #receive(message: ToHost): void {
    if (this.#state === 'STOPPED') return;
    switch (message.type) {
      case 'ready':
        this.#started.resolve();
        if (this.#state !== 'STARTING') return;
        this.methods = message.methods;
        this.hasStats = message.hasStats;
        this.hasHealthCheck = message.hasHealthCheck;
        this.#hasRun = true;
        this.#state = 'RUNNING';
        this.load.setState(REPLICA_STATE.ready);
        this.#registry.connect(this.#key, this);
        this.#events.ready(this);
        return;
      case 'failed':
        this.#failure = { phase: message.phase, error: unpack(message.error) };
        this.#started.resolve();
        void this.#terminate();
        return;
      case 'begun':
        this.#begun.get(message.id)?.();
        return;
      case 'answer':
        this.#answers.get(message.id)?.(message);
        this.#answers.delete(message.id);
        this.#begun.delete(message.id);
        return;
      case 'drained':
        this.#onDrained();
        return;
      case 'subscribe':
        this.#registry.subscribe(this.#callerPort, message.key);
        return;
      case 'replaced':
        this.#registry.replaced(this.#callerPort, message.replicaId);
        return;
      default:
        this.#events.message(this, message);
    }
  }

  /** A reservation may also be given back by its caller, so the table is looked at now and then as well. */
  rest(ms: number): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#onDrained = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  async openCalls(): Promise<OpenCalls> {
    const { openCalls } = await this.#question((id) => ({ type: 'openCalls', id }));
    return openCalls ?? { deadline: 0, hasStreams: false };
  }

  async #ask(question: (id: number) => ToReplica): Promise<void> {
    await this.#question(question);
  }

  #question(question: (id: number) => ToReplica): Promise<Answer> {
    const id = ++this.#questions;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, (answer) =>
        answer.error === undefined ? resolve(answer) : reject(unpack(answer.error)),
      );
      this.#post(question(id), []);
    });
  }

  #post(message: ToReplica, transfer: MessagePort[]): void {
    this.#control.postMessage(message, transfer);
  }

  #isAlive(): boolean {
    return this.#state !== 'STOPPED';
  }

  /** `terminate()` answers in 4 ms, or never when native code blocks the thread. */
  async #terminate(): Promise<void> {
    const { worker } = this.#thread;
    await within(TERMINATE_TIMEOUT_MS, Promise.race([worker.terminate(), once(worker, 'exit')]));
    if (this.#isAlive()) {
      this.isZombie = true;
      this.#end();
    }
  }

  #end(): void {
    if (this.#state === 'STOPPED') return;
    this.#state = 'STOPPED';
    this.load.setState(REPLICA_STATE.dead);
    const { phase, error } = this.#failure ?? { phase: undefined, error: undefined };
    this.#disconnect(error instanceof ServeError ? error : this.#died(howItEnded(error), error));
    this.#registry.removeCaller(this.#callerPort);
    this.#control.close();
    const unanswered = packError(this.#died(howItEnded(error), error));
    for (const answer of this.#answers.values()) answer({ error: unanswered });
    this.#answers.clear();
    this.#started.resolve();
    this.#onDrained();
    this.#gone.resolve();
    const failedIn = this.#hasRun ? undefined : (phase ?? 'start');
    this.#events.exited(this, { isExpected: this.#isExpected, phase: failedIn, error });
  }

  #disconnect(error: unknown): void {
    this.#registry.disconnect(this.#key, this.replicaId, error);
  }

  #died(why: string, cause?: unknown): ServeError {
    const { app, replicaId } = this.#place;
    const { deployment } = this;
    return new ServeError('SERVE_REPLICA_DIED', `replica ${replicaId}: ${why}`, {
      app,
      deployment,
      replica: replicaId,
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
