import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { PeerAddress } from '../../../src/cluster/fleet-options.ts';
import { type ChaosProxy, chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import type { CallerCommand, CallerSettings } from '../../fixtures/programs/fleet-caller.ts';
import { eventually } from '../until.ts';
import { FLEET } from './instances.ts';
import type { MarkedOutcome } from './marked-calls.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/programs/fleet-caller.ts', import.meta.url));
/** Limit against hangs: a process of a busy machine may take long to start. */
const LIMIT_MS = 120_000;

/** One app process of a fleet whose instances all call each other. */
export class FleetCaller implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #ended: Promise<unknown[]>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #commands = 0;
  address: PeerAddress = { host: '', port: 0 };
  instance = '';

  constructor(settings: CallerSettings) {
    const env = { ...process.env, CALLER: JSON.stringify(settings) };
    this.process = fork(PROGRAM, { env, execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#ended = once(this.process, 'exit');
    this.process.on('message', ({ id, result, error }: { id: number; result: unknown; error?: string }) => {
      const open = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) open?.resolve(result);
      else open?.reject(new Error(error));
    });
    void this.#ended.then(() => {
      for (const open of this.#waiting.values()) open.reject(new Error('the process has ended'));
    });
  }

  async ready(): Promise<this> {
    const died = this.#ended.then(([code]) => {
      throw new Error(`a caller ended with ${String(code)} before it was ready`);
    });
    const [message] = (await Promise.race([once(this.process, 'message'), died])) as [
      { address: PeerAddress; instance: string },
    ];
    died.catch(() => {});
    this.address = message.address;
    this.instance = message.instance;
    return this;
  }

  get isAlive(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  async tell<T>(command: CallerCommand): Promise<T> {
    const id = ++this.#commands;
    const open = Promise.withResolvers<unknown>();
    this.#waiting.set(id, open);
    this.process.send({ id, command });
    return (await open.promise) as T;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isAlive) return;
    this.process.kill('SIGKILL');
    await this.#ended;
  }
}

/** A call, and how often it was executed. */
export interface JudgedCall extends MarkedOutcome {
  readonly runs: number;
}

/** App processes that call each other, each pair over a proxy in front of the one that is called. */
export class CallingFleet implements AsyncDisposable {
  readonly callers: readonly FleetCaller[];
  /** In front of each caller. */
  readonly proxies: readonly ChaosProxy[];
  readonly #folder: string;
  readonly #resources: AsyncDisposableStack;

  private constructor(
    callers: readonly FleetCaller[],
    proxies: readonly ChaosProxy[],
    folder: string,
    resources: AsyncDisposableStack,
  ) {
    this.callers = callers;
    this.proxies = proxies;
    this.#folder = folder;
    this.#resources = resources;
  }

  static async start(count: number, seed: number): Promise<CallingFleet> {
    await using resources = new AsyncDisposableStack();
    const folder = mkdtempSync(join(tmpdir(), 'inserve-callers-'));
    resources.defer(() => rmSync(folder, { recursive: true }));
    const [fleetEntry, workerEntry] = [inject('fleetEntry'), inject('threadEntry')];
    const callers = Array.from({ length: count }, (_, index) =>
      resources.use(new FleetCaller({ fleet: FLEET, fleetEntry, workerEntry, folder, seed: seed + index })),
    );
    await Promise.all(callers.map((caller) => caller.ready()));
    const proxies: ChaosProxy[] = [];
    for (const { address } of callers)
      proxies.push(resources.use(await chaosProxy({ targetPort: address.port, seed })));
    for (const [index, caller] of callers.entries()) {
      const peers = proxies.flatMap(({ host, port }, other) => (other === index ? [] : [{ host, port }]));
      await caller.tell({ type: 'peers', peers });
    }
    const fleet = new CallingFleet(callers, proxies, folder, resources.move());
    await fleet.linked();
    return fleet;
  }

  /** Resolves once each living process has links to all others that live. */
  async linked(): Promise<void> {
    await eventually(async () => {
      const alive = this.callers.filter(({ isAlive }) => isAlive);
      const links = await Promise.all(alive.map((caller) => caller.tell<number>({ type: 'links' })));
      return links.every((count) => count >= alive.length - 1);
    }, LIMIT_MS);
  }

  async load(host: number, replica: number): Promise<void> {
    await Promise.all(this.callers.map((caller) => caller.tell({ type: 'load', host, replica })));
  }

  /** The calls of all processes that live, once all of them have ended. */
  async stop(): Promise<JudgedCall[]> {
    const alive = this.callers.filter(({ isAlive }) => isAlive);
    const ended = await Promise.all(
      alive.map((caller) => caller.tell<{ made: number; outcomes: MarkedOutcome[] }>({ type: 'stop' })),
    );
    const runs = this.#runs();
    for (const { made, outcomes } of ended)
      if (outcomes.length !== made) throw new Error(`${made - outcomes.length} calls have not ended once`);
    return ended.flatMap(({ outcomes }) =>
      outcomes.map((outcome) => ({ ...outcome, runs: runs.get(outcome.token) ?? 0 })),
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }

  /** The executions of each call. */
  #runs(): Map<string, number> {
    const runs = new Map<string, number>();
    for (const file of readdirSync(this.#folder))
      for (const line of readFileSync(join(this.#folder, file), 'utf8').split('\n')) {
        const [token] = line.split(' ') as [string];
        runs.set(token, (runs.get(token) ?? 0) + 1);
      }
    return runs;
  }
}
