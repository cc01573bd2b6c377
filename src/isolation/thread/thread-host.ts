import { MessageChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads';
import type { HostedDeployment } from '../../deployment/app-spec.ts';
import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import type { ThreadLink } from '../../handle/routing/link.ts';
import { openThreadLink } from '../../handle/routing/thread-link.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import { ReplicaLoad } from '../../load/load-table.ts';
import { ReplicaTally } from '../../load/replica-tally.ts';
import type { ToHost, ToReplica } from '../../replica/control.ts';
import { now } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import { limit, within } from '../../time/timeout.ts';
import { killGroup } from '../child/process-group.ts';
import { processMemory } from '../child/process-memory.ts';
import type { LinkedReplica, LoopStack, ReplicaHost, ReplicaPlace } from '../replica-host.ts';
import { loopStack } from './loop-stack.ts';
import type { ThreadPool, ThreadWorker } from './thread.ts';
import { threadOptions } from './thread-options.ts';
import { unmadeThread } from './unmade-thread.ts';

/** The inspector of this process sees no other process. */
const IN_PROCESS: LoopStack = { frames: undefined, why: 'its code runs in a process of its own' };
const NO_ANSWER: LoopStack = {
  frames: undefined,
  why: 'its process did not report where its code is blocked',
};

/** Time in which a process tells where its code stands, in ms. */
const STACK_MS = 1_000;

/** Time in which a thread ends after its child process was killed, in ms. */
const AFTER_CHILD_MS = 1_000;

/** The thread of one replica, its control port and the tables that it shares with the host. */
export class ThreadHost implements ReplicaHost {
  readonly load = new ReplicaLoad();
  readonly tally = new ReplicaTally();
  readonly exited: Promise<unknown>;
  readonly #worker: ThreadWorker;
  readonly #control: MessagePort;
  /** Whether a Node process runs the user's code for the thread. */
  readonly #hasNodeChild: boolean;
  /** The process that runs the user's code for the thread; undefined if there is none. */
  #childPid: number | undefined = undefined;
  /** The signal on which that process tells where its code stands; undefined if it cannot. */
  #stackSignal: NodeJS.Signals | undefined = undefined;
  #onStack: (stack: LoopStack) => void = () => {};
  #receive: (message: ToHost) => void = () => {};

  constructor(pool: ThreadPool, spec: HostedDeployment, place: ReplicaPlace, deploymentLoad: DeploymentLoad) {
    this.#hasNodeChild = spec.source.python === undefined && ISOLATIONS[spec.options.isolation].hasProcess;
    this.load.limit = spec.options.maxOngoingRequests;
    this.load.tick(now());
    const { port1, port2 } = inRootContext(() => new MessageChannel());
    this.#control = port1;
    const shared = {
      load: this.load.shared,
      deploymentLoad: deploymentLoad.shared,
      tally: this.tally.shared,
    };
    const options = threadOptions(place, spec, { ...shared, control: port2, isPooled: pool.isPooled });
    this.#worker = inRootContext(() => {
      try {
        return pool.spawn(options);
      } catch (error) {
        return unmadeThread(error);
      }
    });
    this.exited = this.#exit();
  }

  get lastSeen(): number {
    return this.load.lastTick;
  }

  listen(receive: (message: ToHost) => void): void {
    this.#receive = (message) => {
      if (message.type === 'child') {
        this.#childPid = message.pid;
        this.#stackSignal = message.stackSignal;
      } else if (message.type === 'childStack') {
        this.#onStack({ frames: message.frames, call: undefined });
      } else if (message.type === 'childExited') {
        this.#childPid = undefined;
      }
      receive(message);
    };
    inRootContext(() => this.#control.on('message', this.#receive));
    this.#control.unref();
  }

  post(message: ToReplica, transfer: readonly MessagePort[] = []): void {
    this.#control.postMessage(message, transfer);
  }

  link(replica: LinkedReplica, callerName: string): ThreadLink {
    const { replicaId, instanceId, version, methods } = replica;
    const { load, tally } = this;
    const hasProcess = this.#hasNodeChild;
    const attach = (port: MessagePort, ledger: SharedArrayBuffer): void =>
      this.post({ type: 'attach', callerName, port, ledger }, [port]);
    return openThreadLink({ replicaId, instanceId, version, methods, hasProcess, load, tally }, attach);
  }

  /** The answer takes 0.2 ms even while the thread spins. Of user code in a child process, the process alone counts. */
  async memory(): Promise<number> {
    if (this.#childPid !== undefined) return (await processMemory(this.#childPid)) ?? 0;
    try {
      const { used_heap_size, external_memory } = await this.#worker.getHeapStatistics();
      return used_heap_size + external_memory;
    } catch {
      return 0;
    }
  }

  loopStack(): Promise<LoopStack> {
    if (this.#childPid === undefined) return loopStack(this.#worker.threadId);
    const signal = this.#stackSignal;
    return signal === undefined ? Promise.resolve(IN_PROCESS) : this.#childStack(this.#childPid, signal);
  }

  /** The thread, which is not blocked, reads what the process writes. */
  async #childStack(pid: number, signal: NodeJS.Signals): Promise<LoopStack> {
    const { promise, resolve } = Promise.withResolvers<LoopStack>();
    this.#onStack = resolve;
    const timer = limit(STACK_MS, () => resolve(NO_ANSWER));
    try {
      process.kill(pid, signal);
      return await promise;
    } catch {
      return NO_ANSWER;
    } finally {
      timer.cancel();
    }
  }

  /**
   * The end takes 4 ms, or never comes if native code blocks the thread. A thread with a child process ends by itself after
   * the child, which only the thread can reap.
   */
  destroy(): void {
    const terminate = (): void => void this.#worker.terminate().catch(() => {});
    if (this.#childPid === undefined) {
      terminate();
      return;
    }
    killGroup(this.#childPid);
    void within(AFTER_CHILD_MS, this.exited, false).then(terminate);
  }

  /** The exit event of a thread can overtake its last messages. */
  #readRest(): void {
    for (let next = receiveMessageOnPort(this.#control); next; next = receiveMessageOnPort(this.#control))
      this.#receive(next.message);
  }

  #exit(): Promise<unknown> {
    const worker = this.#worker;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    let failure: unknown;
    worker.on('error', (error) => {
      failure ??= error;
    });
    worker.on('exit', (code) => {
      this.#readRest();
      this.#control.close();
      if (this.#childPid !== undefined) killGroup(this.#childPid);
      resolve(failure ?? new Error(`the thread exited with code ${code}`));
    });
    return promise;
  }
}
