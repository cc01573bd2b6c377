import { batchAdvice, batchRoom } from '../batching/advice.ts';
import { observeBatches } from '../batching/batch.ts';
import { ThreadBatches } from '../batching/batch-stats.ts';
import { disposeModels, type ModelsListener, observeModels } from '../batching/multiplexed.ts';
import { CallIntake } from '../channel/call-intake.ts';
import { LinkLedger } from '../channel/link-ledger.ts';
import { PortTransport } from '../channel/port-transport.ts';
import { ReplicaChannel } from '../channel/replica-channel.ts';
import type { BeginLedger } from '../channel/start-ledger.ts';
import type { FrameTransport } from '../channel/transport.ts';
import { ServeError } from '../errors.ts';
import { adoptHandles } from '../handle/api/handle.ts';
import { setReplicaContext } from '../handle/call/context.ts';
import type { Connectors } from '../handle/routing/connector.ts';
import { Router } from '../handle/routing/router.ts';
import type { DeploymentLoad } from '../load/deployment-load.ts';
import type { ReplicaLoad } from '../load/load-table.ts';
import type { CallTally } from '../load/replica-tally.ts';
import { now } from '../time/clock.ts';
import { withTimeout } from '../time/timeout.ts';
import { threadMetrics } from '../user-metrics/thread-metrics.ts';
import { packError, unpack } from '../values/pack.ts';
import { CallExecutor, idleContext } from './call-executor.ts';
import { type CodeSource, ON_THREAD } from './code-source.ts';
import type { AgentControl, ReplicaInit, StartPhase, ToHost, ToReplica } from './control.ts';
import { ControlDirectory } from './control-directory.ts';
import { ingressProtocol } from './ingress/protocol.ts';
import { ModelReporter } from './model-reporter.ts';
import { openCallsOf } from './open-calls.ts';
import { unpackEvent } from './packed-event.ts';
import type { ReplicaIdentity } from './running-call.ts';
import { installProbe } from './running-call-probe.ts';
import { StartProgress } from './start-progress.ts';
import { locateSyntaxError } from './syntax-error-place.ts';
import { forwardConsole } from './thread-hooks/console.ts';
import { reportExit } from './thread-hooks/exit-report.ts';
import { guardListen } from './thread-hooks/listen-guard.ts';
import { LoopTicker } from './thread-hooks/loop-ticker.ts';
import { setImportedModule } from './thread-hooks/main-in-worker.ts';
import { trackModules } from './thread-hooks/module-tracker.ts';
import { type Remains, watchRemains } from './thread-hooks/remains.ts';
import { UserCode } from './user-code.ts';

/** The answer to a question of the host. */
type Answer = Omit<Extract<ToHost, { type: 'answer' }>, 'type' | 'id' | 'error'>;

/** The period at which counted calls are shipped to the host, in ms. */
const STATS_MS = 1_000;

/** The tables that a replica shares with the host and its callers. */
export interface AgentTables {
  readonly load: ReplicaLoad;
  readonly deploymentLoad: DeploymentLoad;
  readonly tally: CallTally;
  /** Learns of the multiplexed models. Default: they are written to the load tables. */
  readonly models?: ModelsListener;
}

/** The replica's side of its control port: starts the user's code, takes callers in, and answers the host. */
export class ReplicaAgent {
  readonly router: Router;
  readonly #init: ReplicaInit;
  /** The identity of the replica, whose rank may change. */
  readonly #identity: Omit<ReplicaIdentity, 'rank'> & { rank: number };
  readonly #control: AgentControl;
  readonly #tables: AgentTables;
  readonly #batches: ThreadBatches;
  readonly #channels = new Map<ReplicaChannel, FrameTransport>();
  readonly #source: CodeSource;
  /** Undefined if another event loop than this thread's runs the user's code. */
  readonly #ticker: LoopTicker | undefined;
  readonly #shipper: NodeJS.Timeout;
  readonly #remains: () => Remains = watchRemains();
  #code: UserCode | undefined = undefined;
  #replica: CallExecutor | undefined = undefined;
  #intake: CallIntake | undefined = undefined;

  /** @param connectors for the calls that user code makes */
  constructor(
    init: ReplicaInit,
    control: AgentControl,
    tables: AgentTables,
    connectors: Connectors,
    source: CodeSource = ON_THREAD,
  ) {
    this.#source = source;
    this.#init = init;
    this.#control = control;
    this.#tables = tables;
    this.#batches = new ThreadBatches(init);
    const { app, deployment, replicaId, rank, gpus } = init;
    this.#identity = { app, deployment, replicaId, rank, gpus };
    const { instanceId, callerIndex } = init;
    this.router = new Router(
      { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      new ControlDirectory(control),
      {
        connectors,
        onUnobserved: (error, { route, method, requestId }) => {
          const { app, deployment } = route;
          this.#post({ type: 'unobserved', app, deployment, method, requestId, error: packError(error) });
        },
      },
    );
    adoptHandles(this.router);
    forwardConsole(init.logLevel, (line) => this.#post({ type: 'log', line }));
    reportExit((error) => this.#post({ type: 'exiting', error: packError(error) }));
    installProbe((method) => this.#code?.methodName(method));
    observeModels(tables.models ?? new ModelReporter(tables.load.models, tables.deploymentLoad));
    observeBatches((name, record) => this.#batches.record(name, record));
    control.listen((message) => void this.#receive(message));
    this.#ticker = source.isOnThread ? new LoopTicker(tables.load) : undefined;
    this.#ticker?.every(init.tickMs);
    this.#shipper = setInterval(() => this.#shipStats(), STATS_MS).unref();
  }

  /** Imports, constructs, reconfigures and checks the user's code; then the host may route to it. */
  async start(): Promise<void> {
    const progress = new StartProgress((message) => this.#post({ type: 'progress', message }));
    setReplicaContext(idleContext(this.#identity, progress.report));
    if (this.#init.isTracked) trackModules((url) => this.#post({ type: 'loaded', url }));
    const unguard = guardListen();
    let phase: StartPhase = 'import';
    try {
      setImportedModule(this.#init);
      const registration = await this.#source.load(this.#init);
      setImportedModule(undefined);
      phase = 'construct';
      const code = await UserCode.construct(registration, unpack(this.#init.args) as unknown[]);
      this.#code = code;
      if (this.#init.userConfig !== undefined) {
        phase = 'reconfigure';
        await code.reconfigure(unpack(this.#init.userConfig));
      }
      phase = 'checkHealth';
      await inTime(code.checkHealth(), this.#init.healthCheckTimeoutMs);
      const { load, deploymentLoad } = this.#tables;
      this.#replica = new CallExecutor(this.#identity, code, ingressProtocol, this.#tables.tally);
      this.#intake = new CallIntake(
        load,
        deploymentLoad,
        // The host waits for the last place in the load table.
        () => {},
        batchRoom(code.methods),
      );
      unguard();
      load.beat(now());
      const { methodNames: methods, hasAutoscalingStats: hasStats, hasHealthCheck } = code;
      progress.close();
      this.#post({ type: 'ready', methods, hasStats, hasHealthCheck });
      // Shipped at once, so that gauges of the constructor are visible as soon as the replica is ready.
      this.#shipStats();
      const { idempotent } = this.#init;
      for (const message of batchAdvice(code.methods, { maxOngoingRequests: load.limit, idempotent }))
        this.#post({ type: 'advice', message });
    } catch (error) {
      unguard();
      progress.close();
      const located = phase === 'import' ? await locateSyntaxError(error, this.#init.module) : error;
      this.#post({ type: 'failed', phase, error: packError(located) });
    }
  }

  async #receive(message: ToReplica): Promise<void> {
    switch (message.type) {
      case 'attach':
        this.attach(message.callerName, new PortTransport(message.port), new LinkLedger(message.ledger));
        return;
      case 'directory':
        this.router.apply(unpackEvent(message));
        return;
      case 'reconfigure':
        await this.#answer(message.id, () => this.#code?.reconfigure(unpack(message.userConfig)));
        return;
      case 'rank':
        this.#identity.rank = message.rank;
        setReplicaContext(idleContext(this.#identity));
        return;
      case 'tick':
        this.#ticker?.every(message.tickMs);
        this.#source.tickEvery?.(message.tickMs);
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
        await this.#answer(message.id, async () => ({ openCalls: openCallsOf(this.#channels.keys()) }));
        return;
      case 'autoscalingStats':
        await this.#answer(message.id, async () => ({ stats: (await this.#code?.autoscalingStats()) ?? {} }));
        return;
      case 'dispose':
        await this.#answer(message.id, () => this.#dispose());
        return;
      case 'close':
        await this.#answer(message.id, () => this.#close());
        return;
    }
  }

  /** Takes in a caller. Does nothing before the replica is ready. */
  attach(callerName: string, transport: FrameTransport, ledger: BeginLedger): void {
    const replica = this.#replica;
    const intake = this.#intake;
    if (replica === undefined || intake === undefined) return;
    const channel = new ReplicaChannel(
      callerName,
      transport,
      ledger,
      intake,
      (call, at) => replica.beginApart(call, at),
      () => this.#channels.delete(channel),
    );
    this.#channels.set(channel, transport);
  }

  async #describe(): Promise<Answer | void> {
    if (this.#code !== undefined) return { description: await this.#code.describe() };
  }

  async #dispose(): Promise<void> {
    await disposeModels();
    await this.#code?.dispose();
    for (const channel of this.#channels.keys()) channel.flush();
    this.#shipStats();
  }

  /**
   * Lets the event loop run dry, after which the thread ends by itself. A thread that is ended while native work is under way
   * takes the process with it: the completion of the work finds no JavaScript to run (node-addon-api aborts then).
   */
  async #close(): Promise<Answer> {
    this.#shipStats();
    this.#ticker?.close();
    await this.#source.close?.();
    clearInterval(this.#shipper);
    this.router.close(new ServeError('SERVE_UNAVAILABLE', 'the replica is stopping'));
    for (const transport of this.#channels.values()) transport.unref();
    this.#control.unref();
    // Closed ports are released after a turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve));
    return { remains: this.#remains() };
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
    this.#control.post(message);
  }
}

/** Limits the time of the first health check, which the host does not watch. */
function inTime(check: Promise<void>, timeoutMs: number): Promise<void> {
  const overdue = () => new ServeError('SERVE_TIMEOUT', `checkHealth() took longer than ${timeoutMs} ms`);
  return withTimeout(check, timeoutMs, overdue);
}
