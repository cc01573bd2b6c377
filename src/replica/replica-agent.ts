import { performance } from 'node:perf_hooks';
import { batchAdvice, batchRoom } from '../batching/advice.ts';
import { observeBatches } from '../batching/batch.ts';
import { ThreadBatches } from '../batching/batch-stats.ts';
import { disposeModels, observeModels } from '../batching/multiplexed.ts';
import { CallIntake } from '../channel/call-intake.ts';
import { LinkLedger } from '../channel/link-ledger.ts';
import { ReplicaChannel } from '../channel/replica-channel.ts';
import { loadTarget } from '../deployment/registry.ts';
import { ServeError } from '../errors.ts';
import { adoptHandles } from '../handle/api/handle.ts';
import { setReplicaContext } from '../handle/call/context.ts';
import type { InlineFactory } from '../handle/routing/connector.ts';
import type { DirectoryEvent } from '../handle/routing/directory.ts';
import { Router } from '../handle/routing/router.ts';
import { threadConnector } from '../handle/routing/thread-link.ts';
import { DeploymentLoad } from '../load/deployment-load.ts';
import { ReplicaLoad } from '../load/load-table.ts';
import { ReplicaTally } from '../load/replica-tally.ts';
import { now } from '../time/clock.ts';
import { withTimeout } from '../time/timeout.ts';
import { threadMetrics } from '../user-metrics/thread-metrics.ts';
import { type Packed, packError, unpack } from '../values/pack.ts';
import { CallExecutor, idleContext } from './call-executor.ts';
import { forwardConsole } from './console.ts';
import type { OpenCalls, ReplicaInit, StartPhase, ToHost, ToReplica } from './control.ts';
import { reportExit } from './exit-report.ts';
import { ingressProtocol } from './ingress/protocol.ts';
import { guardListen } from './listen-guard.ts';
import { ModelReporter } from './model-reporter.ts';
import { trackModules } from './module-tracker.ts';
import type { ReplicaIdentity } from './running-call.ts';
import { installProbe } from './running-call-probe.ts';
import { locateSyntaxError } from './syntax-error-place.ts';
import { UserCode } from './user-code.ts';

/** What a question of the host is answered with. */
type Answer = Omit<Extract<ToHost, { type: 'answer' }>, 'type' | 'id' | 'error'>;

/** How often counted calls are shipped to the host. */
const STATS_MS = 1_000;
/** The share of time for which the loop is busy is taken over so long. */
const UTILIZATION_MS = 1_000;

/** One replica in a thread of its own: starts the user's code, takes callers in, and answers the host. */
export class ReplicaAgent {
  readonly router: Router;
  readonly #init: ReplicaInit;
  /** Its rank may change. */
  readonly #identity: Omit<ReplicaIdentity, 'rank'> & { rank: number };
  readonly #load: ReplicaLoad;
  readonly #deploymentLoad: DeploymentLoad;
  readonly #batches: ThreadBatches;
  readonly #channels = new Set<ReplicaChannel>();
  #ticker: NodeJS.Timeout | undefined = undefined;
  #code: UserCode | undefined = undefined;
  #replica: CallExecutor | undefined = undefined;
  #intake: CallIntake | undefined = undefined;
  #busy = performance.eventLoopUtilization();
  #busySince = 0;

  /** @param createInline makes the replicas of inline deployments that this one calls */
  constructor(init: ReplicaInit, createInline: InlineFactory) {
    this.#init = init;
    this.#batches = new ThreadBatches(init);
    const { app, deployment, replicaId, rank, gpus } = init;
    this.#identity = { app, deployment, replicaId, rank, gpus };
    this.#load = new ReplicaLoad(init.load);
    this.#deploymentLoad = new DeploymentLoad(init.deploymentLoad);
    const { instanceId, callerIndex } = init;
    this.router = new Router(
      { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      { subscribe: (key) => this.#post({ type: 'subscribe', key }) },
      {
        connectors: { thread: threadConnector, inline: { connect: createInline } },
        onUnobserved: (error, { route, method, requestId }) => {
          const { app, deployment } = route;
          this.#post({ type: 'unobserved', app, deployment, method, requestId, error: packError(error) });
        },
        onReplaced: (replicaId) => this.#post({ type: 'replaced', replicaId }),
        onLost: (replicaId, calls) => this.#post({ type: 'lost', replicaId, calls }),
      },
    );
    adoptHandles(this.router);
    forwardConsole(init.logLevel, (line) => this.#post({ type: 'log', line }));
    reportExit((error) => this.#post({ type: 'exiting', error: packError(error) }));
    installProbe((method) => this.#code?.methodName(method));
    observeModels(new ModelReporter(this.#load.models, this.#deploymentLoad));
    observeBatches((name, record) => this.#batches.record(name, record));
    init.control.on('message', (message: ToReplica) => void this.#receive(message));
    this.#tickEvery(init.tickMs);
    setInterval(() => this.#shipStats(), STATS_MS).unref();
  }

  /** Import, construct, reconfigure, check health; then the host may route to it. */
  async start(): Promise<void> {
    setReplicaContext(idleContext(this.#identity));
    if (this.#init.isTracked) trackModules((url) => this.#post({ type: 'loaded', url }));
    const unguard = guardListen();
    let phase: StartPhase = 'import';
    try {
      const registration = await loadTarget(this.#init.module, this.#init.exportName);
      phase = 'construct';
      const code = await UserCode.construct(registration, unpack(this.#init.args) as unknown[]);
      this.#code = code;
      if (this.#init.userConfig !== undefined) {
        phase = 'reconfigure';
        await code.reconfigure(unpack(this.#init.userConfig));
      }
      phase = 'checkHealth';
      await inTime(code.checkHealth(), this.#init.healthCheckTimeoutMs);
      this.#replica = new CallExecutor(
        this.#identity,
        code,
        ingressProtocol,
        new ReplicaTally(this.#init.tally),
      );
      this.#intake = new CallIntake(
        this.#load,
        this.#deploymentLoad,
        // The host waits for the last place in the load table.
        () => {},
        batchRoom(code.methods),
      );
      unguard();
      this.#load.tick(now());
      const { methodNames: methods, hasAutoscalingStats: hasStats, hasHealthCheck } = code;
      this.#post({ type: 'ready', methods, hasStats, hasHealthCheck });
      // Gauges that the constructor set are there as soon as the replica is.
      this.#shipStats();
      const { idempotent } = this.#init;
      for (const message of batchAdvice(code.methods, { maxOngoingRequests: this.#load.limit, idempotent }))
        this.#post({ type: 'advice', message });
    } catch (error) {
      unguard();
      const located = phase === 'import' ? await locateSyntaxError(error, this.#init.module) : error;
      this.#post({ type: 'failed', phase, error: packError(located) });
    }
  }

  async #receive(message: ToReplica): Promise<void> {
    switch (message.type) {
      case 'attach':
        this.#attach(message);
        return;
      case 'directory':
        this.router.apply(withError(message.event, message.error));
        return;
      case 'reconfigure':
        await this.#answer(message.id, () => this.#code?.reconfigure(unpack(message.userConfig)));
        return;
      case 'rank':
        this.#identity.rank = message.rank;
        setReplicaContext(idleContext(this.#identity));
        return;
      case 'tick':
        this.#tickEvery(message.tickMs);
        return;
      case 'checkHealth':
        this.#post({ type: 'begun', id: message.id });
        await this.#answer(message.id, () => this.#code?.checkHealth());
        return;
      case 'describe':
        await this.#answer(message.id, () => this.#describe());
        return;
      case 'drain':
        this.#replica?.drain();
        return;
      case 'openCalls':
        await this.#answer(message.id, async () => ({ openCalls: this.#openCalls() }));
        return;
      case 'autoscalingStats':
        await this.#answer(message.id, async () => ({ stats: (await this.#code?.autoscalingStats()) ?? {} }));
        return;
      case 'dispose':
        await this.#answer(message.id, () => this.#dispose());
        return;
    }
  }

  /** The event loop's sign of life; the timer keeps the thread alive. */
  #tickEvery(ms: number): void {
    clearInterval(this.#ticker);
    const tick = (): void => {
      const at = now();
      this.#load.beat(at);
      if (at - this.#busySince >= UTILIZATION_MS) this.#measureUtilization(at);
    };
    tick();
    this.#ticker = setInterval(tick, ms);
  }

  #measureUtilization(at: number): void {
    const busy = performance.eventLoopUtilization();
    this.#load.utilization = performance.eventLoopUtilization(busy, this.#busy).utilization;
    this.#busy = busy;
    this.#busySince = at;
  }

  #attach({ callerName, port, ledger }: Extract<ToReplica, { type: 'attach' }>): void {
    const replica = this.#replica;
    const intake = this.#intake;
    if (replica === undefined || intake === undefined) return;
    const channel = new ReplicaChannel(
      callerName,
      port,
      new LinkLedger(ledger),
      intake,
      (call, at) => replica.beginAndStay(call, at),
      () => this.#channels.delete(channel),
      (work) => replica.outside(work),
    );
    this.#channels.add(channel);
  }

  async #describe(): Promise<Answer | void> {
    if (this.#code !== undefined) return { description: await this.#code.describe() };
  }

  #openCalls(): OpenCalls {
    let deadline = 0;
    let hasStreams = false;
    for (const channel of this.#channels) {
      for (const call of channel.calls()) {
        if (call.isStreaming) hasStreams = true;
        else deadline = Math.max(deadline, call.deadline);
      }
    }
    return { deadline, hasStreams };
  }

  async #dispose(): Promise<void> {
    await disposeModels();
    await this.#code?.dispose();
    for (const channel of this.#channels) channel.flush();
    this.#shipStats();
  }

  async #answer(id: number, work: () => Promise<Answer | void> | undefined): Promise<void> {
    try {
      this.#post({ type: 'answer', id, ...(await work()) });
    } catch (error) {
      this.#post({ type: 'answer', id, error: packError(error) });
    }
  }

  #shipStats(): void {
    const calls = this.router.takeStats();
    const batches = this.#batches.take();
    const metrics = threadMetrics.take();
    if (calls.length + batches.length + metrics.length > 0) {
      this.#post({ type: 'stats', calls, batches, metrics });
    }
  }

  #post(message: ToHost): void {
    this.#init.control.postMessage(message);
  }
}

/** The first health check, which the host does not watch. */
function inTime(check: Promise<void>, timeoutMs: number): Promise<void> {
  const overdue = () => new ServeError('SERVE_TIMEOUT', `checkHealth() took longer than ${timeoutMs} ms`);
  return withTimeout(check, timeoutMs, overdue);
}

/** Errors do not survive `postMessage`; they travel beside the event. */
function withError(event: DirectoryEvent, error: Packed | undefined): DirectoryEvent {
  return error === undefined ? event : ({ ...event, error: unpack(error) } as DirectoryEvent);
}
