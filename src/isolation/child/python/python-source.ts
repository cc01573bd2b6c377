import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { modelsListener } from '../../../batching/multiplexed.ts';
import { LOG_LEVELS, type LogLevel, type LogLine } from '../../../deployment/options/log-line.ts';
import { splitKwargs } from '../../../deployment/python/kwargs.ts';
import type { PythonSource } from '../../../deployment/python/python-plan.ts';
import { loadTarget, type Registration } from '../../../deployment/registry.ts';
import { ServeError } from '../../../errors.ts';
import type { ReplicaLoad } from '../../../load/load-table.ts';
import type { CodeSource } from '../../../replica/code-source.ts';
import type { AgentControl, ReplicaInit } from '../../../replica/control.ts';
import { now, time } from '../../../time/clock.ts';
import { metrics } from '../../../user-metrics/metrics.ts';
import { messageOf } from '../../../values/describe-value.ts';
import { gpusInChild } from '../child-environment.ts';
import { ChildLife } from '../child-life.ts';
import { ChildProcess, LINK_FD, SECOND_FD, SILENT_FD } from '../child-process.ts';
import { limitMemory } from '../memory-limit.ts';
import { blockedFrames, STACK_SIGNAL } from './blocked-stack.ts';
import { pythonEnvironment } from './environment.ts';
import { findInterpreter, type Interpreter } from './interpreter.ts';
import { type LinkListener, type MetricChange, PythonLink } from './link.ts';
import { OutputLines } from './output-lines.ts';
import { type InstanceDescription, PythonMethods } from './python-class.ts';
import { runnerFile } from './runner-file.ts';

/** Time in which a process ends by itself once its destructor has run, in ms. */
const END_GRACE_MS = 100;

/** Time in which all of a stack arrives, in ms: it is written line by line, and nothing ends it. */
const STACK_MS = 50;

/** The oldest Python that the runner supports. */
const MIN_MINOR = 9;

/** The Python class or function of this thread's replica, in a process that this thread spawns. */
export function pythonSource(
  plan: PythonSource,
  control: Pick<AgentControl, 'post'>,
  load: ReplicaLoad,
): CodeSource {
  return new PythonProcess(plan, control, load);
}

class PythonProcess implements CodeSource {
  readonly isOnThread = false;
  readonly #plan: PythonSource;
  readonly #control: Pick<AgentControl, 'post'>;
  readonly #load: ReplicaLoad;
  #life: ChildLife | undefined = undefined;
  #link: PythonLink | undefined = undefined;
  #listener: ReplicaListener | undefined = undefined;

  constructor(plan: PythonSource, control: Pick<AgentControl, 'post'>, load: ReplicaLoad) {
    this.#plan = plan;
    this.#control = control;
    this.#load = load;
  }

  /** Spawns the process and imports the user's module in it. */
  async load(init: ReplicaInit): Promise<Registration> {
    const { target, hasSchemas } = this.#plan;
    if ('file' in target && !existsSync(target.file))
      throw new ServeError('SERVE_MODULE_MISMATCH', `there is no file ${target.file}`);
    const interpreter = findInterpreter(this.#plan, process.env);
    const link = await this.#spawn(init, interpreter);
    await this.#import(link, init);
    const schemas = hasSchemas ? (await loadTarget(init.module, init.exportName)).schemas : {};
    return { target: this.#classFor(link), schemas };
  }

  tickEvery(tickMs: number): void {
    void this.#link?.ask('tick', tickMs).catch(() => {});
  }

  async close(): Promise<void> {
    this.#link?.flush();
    await this.#life?.end(END_GRACE_MS);
    this.#link?.close(new ServeError('SERVE_UNAVAILABLE', 'the replica is stopping'));
  }

  async #spawn(init: ReplicaInit, interpreter: Interpreter): Promise<PythonLink> {
    const { python } = this.#plan;
    const log = logSender(init.logLevel, this.#control);
    // Frameworks write progress and notices to standard error; only `logging` knows levels.
    const lines = {
      stdout: new OutputLines((line) => log('info', line)),
      stderr: new OutputLines((line) => log('info', line)),
    };
    const runner = runnerFile(process.env);
    const numbers = [LINK_FD, process.pid, SECOND_FD, SILENT_FD].map(String);
    const child = new ChildProcess({
      file: interpreter.file,
      args: [...(python.args ?? []), runner, ...numbers],
      env: pythonEnvironment(process.env, this.#plan, availableParallelism()),
      secondPipe: 'stacks',
      onOutput: (stream, bytes) => lines[stream].add(bytes),
    });
    const { memoryMb = 0 } = this.#plan;
    if (memoryMb > 0) limitMemory(child, memoryMb);
    const signal = process.platform === 'win32' ? undefined : STACK_SIGNAL;
    this.#life = new ChildLife(child, this.#control, () => process.exit(), signal);
    this.#reportStacks(child, runner);
    const listener = new ReplicaListener(this.#load, log, () => child.kill());
    const link = new PythonLink(child.link, listener);
    this.#link = link;
    this.#listener = listener;
    const gone = child.exited.then((exit): never => {
      for (const output of Object.values(lines)) output.end();
      if (exit.failure === undefined)
        throw new Error(
          `its process ended before it was ready: ${exit.stderr.trim() || `exit code ${exit.code}`}`,
        );
      const where = `${interpreter.file} (from ${interpreter.origin})`;
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `Python cannot be started: ${where}: ${exit.failure.message}`,
      );
    });
    gone.catch(() => {});
    const version = await Promise.race([link.hello, gone]);
    const [major = 0, minor = 0] = version.split('.').map(Number);
    if (major < 3 || (major === 3 && minor < MIN_MINOR)) {
      const found = `${interpreter.file} (from ${interpreter.origin}) is Python ${version}`;
      throw new ServeError('SERVE_INVALID_OPTION', `${found}: Python 3.${MIN_MINOR} or newer is needed`);
    }
    return link;
  }

  /** Reports to the host where the code of the process is blocked, when the process tells. */
  #reportStacks({ stacks }: ChildProcess, runner: string): void {
    let text = '';
    stacks?.on('data', (bytes: Buffer) => {
      if (text === '') {
        time.after(STACK_MS, () => {
          this.#control.post({ type: 'childStack', frames: blockedFrames(text, runner) });
          text = '';
        });
      }
      text += bytes.toString();
    });
  }

  async #import(link: PythonLink, init: ReplicaInit): Promise<void> {
    const { target, python } = this.#plan;
    const { app, deployment, replicaId, rank, gpus, tickMs, logLevel } = init;
    try {
      await link.ask('import', {
        target,
        path: python.path ?? [],
        threads: python.threads ?? 0,
        replica: { app, deployment, replicaId, rank, gpus: gpusInChild(gpus) },
        tickMs,
        logLevel,
      });
    } catch (error) {
      throw isFinal(error)
        ? new ServeError('SERVE_MODULE_MISMATCH', describe(error), { cause: error })
        : error;
    }
  }

  /** The class of the objects that stand for the instance in Python. */
  #classFor(link: PythonLink): Function {
    class PythonReplica {}
    const create = (...args: unknown[]): Promise<object> => this.#construct(link, args, new PythonReplica());
    return Object.assign(PythonReplica, { create });
  }

  async #construct(link: PythonLink, args: readonly unknown[], instance: object): Promise<object> {
    const [positional, named = {}] = splitKwargs(args);
    const description = (await link.ask('construct', [positional, named])) as InstanceDescription;
    const { batch: batches } = this.#plan;
    const made = new PythonMethods(link, description.ingress);
    this.#listener?.follow(made);
    const members: Record<string | symbol, unknown> = {};
    for (const method of description.methods) {
      const [name] = method;
      members[name] = made.make(method, batches[name]);
    }
    const missing = Object.keys(batches).find((name) => !Object.hasOwn(members, name));
    if (missing !== undefined) {
      const names = description.methods.map(([name]) => name).join(', ');
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `batch.${missing}: there is no such method; there are ${names}`,
      );
    }
    for (const hook of description.hooks) Object.assign(members, hookOf(link, hook));
    members[Symbol.asyncDispose] = () => link.ask('close', null);
    this.#advise(description);
    return Object.defineProperties(instance, Object.getOwnPropertyDescriptors(members));
  }

  /** A call that waits inside the replica cannot move to another one. */
  #advise({ sync, methods }: InstanceDescription): void {
    const threads = Math.max(1, this.#plan.python.threads ?? 0);
    const isBatched = methods.some(([name, , decorated]) => decorated !== null || name in this.#plan.batch);
    if (!sync || isBatched || this.#load.limit <= 2 * threads || this.#plan.replicas === 1) return;
    this.#control.post({
      type: 'advice',
      message:
        `its methods are synchronous and run ${threads === 1 ? 'one by one' : `${threads} at a time`}, but maxOngoingRequests is ` +
        `${this.#load.limit}: calls wait inside a replica although another one is free; ${threads} to ${2 * threads} balances better`,
    });
  }
}

/** A hook under its name in JavaScript. */
function hookOf(link: PythonLink, hook: string): object {
  switch (hook) {
    case 'reconfigure':
      return { reconfigure: (config: unknown) => link.ask('reconfigure', config) };
    case 'check_health':
      return { checkHealth: () => link.ask('health', null) };
    case 'record_autoscaling_stats':
      return { recordAutoscalingStats: () => link.ask('stats', null) };
    default:
      return {};
  }
}

/** Faults of the code that another try does not cure. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof Error &&
    ['SyntaxError', 'IndentationError', 'TabError', 'ModuleNotFoundError'].includes(error.name)
  );
}

function describe(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : messageOf(error);
}

type SendLog = (level: string, message: string, requestId?: string, route?: string) => void;

function logSender(lowest: LogLevel, control: Pick<AgentControl, 'post'>): SendLog {
  const least = LOG_LEVELS.indexOf(lowest);
  return (level, message, requestId, route) => {
    if (LOG_LEVELS.indexOf(level as LogLevel) < least) return;
    control.post({ type: 'log', line: { level: level as LogLine['level'], message, requestId, route } });
  };
}

/** Passes on what the runner reports. */
class ReplicaListener implements LinkListener {
  readonly #load: ReplicaLoad;
  readonly #log: SendLog;
  readonly #kill: () => void;
  #methods: PythonMethods | undefined = undefined;

  constructor(load: ReplicaLoad, log: SendLog, kill: () => void) {
    this.#load = load;
    this.#log = log;
    this.#kill = kill;
  }

  log(level: string, _logger: string, message: string, requestId?: string, route?: string): void {
    this.#log(level, message, requestId, route);
  }

  tick(): void {
    this.#load.beat(now());
  }

  metric([kind, name, options, value, labels]: MetricChange): void {
    try {
      if (kind === 'counter') metrics.counter(name, options).inc(value, labels);
      else if (kind === 'gauge') metrics.gauge(name, options).set(value, labels);
      else metrics.histogram(name, options).observe(value, labels);
    } catch (error) {
      this.#log('warn', messageOf(error));
    }
  }

  models(ids: readonly string[]): void {
    const listener = modelsListener();
    listener?.made();
    listener?.changed(ids);
  }

  modelLoaded(ms: number): void {
    modelsListener()?.loaded(ms);
  }

  /** The methods of the instance, whose batches may change. */
  follow(methods: PythonMethods): void {
    this.#methods = methods;
  }

  batchChanged(method: string, maxBatchSize: number | null, batchWaitTimeoutMs: number | null): void {
    this.#methods?.batchChanged(method, maxBatchSize, batchWaitTimeoutMs);
  }

  broken(error: Error): void {
    this.#log('error', `the link to Python broke: ${error.message}`);
    this.#kill();
  }
}
