import { ServeError } from '../errors.ts';
import { needsResolving } from '../handle/api/handle.ts';
import type { DeploymentResponse } from '../handle/api/handle-types.ts';
import { giveAway } from '../values/transfer.ts';
import { spellPath } from './input-node.ts';
import type { GraphPlan, Plan, Source } from './plan.ts';

/** A method of a handle, as the driver calls it. */
export interface Remote {
  remote(...args: unknown[]): DeploymentResponse<unknown>;
}

/** Reads a value of a run. */
type Reader = (run: GraphRun) => unknown;

interface RunnableStep {
  readonly remote: Remote;
  readonly args: readonly Reader[];
  readonly after: readonly number[];
  /** The steps that need its value. */
  readonly before: readonly number[];
  /** Whether the last that needs its value may have its memory: it came from another thread, and goes only to such. */
  readonly isMovable: boolean;
}

/** A graph that is ready to run: its plan with all lookups done. */
export class RunnableGraph {
  readonly inputs: Plan['inputs'];
  readonly steps: readonly RunnableStep[];
  readonly output: Reader;
  /** The number of values that each step waits for. */
  readonly waiting: readonly number[];
  /** The number of steps (and the output) that need the value of each step. */
  readonly uses: readonly number[];

  /** @param remoteOf the method of a callee */
  constructor(
    plan: Plan,
    callees: GraphPlan['callees'],
    remoteOf: (deployment: number, method: string) => Remote,
  ) {
    const before: number[][] = plan.steps.map(() => []);
    for (const [index, { after }] of plan.steps.entries())
      for (const step of after) before[step]?.push(index);
    this.inputs = plan.inputs;
    const isRemote = plan.steps.map(({ deployment }) => callees[deployment]?.isRemote === true);
    this.steps = plan.steps.map(({ deployment, method, args, after }, index) => ({
      remote: remoteOf(deployment, method),
      args: args.map(reader),
      after,
      before: before[index] ?? [],
      isMovable: [index, ...(before[index] ?? [])].every((step) => isRemote[step]),
    }));
    this.output = reader(plan.output);
    this.waiting = plan.steps.map(({ after }) => after.length);
    const { output } = plan;
    this.uses = before.map(
      (users, index) => users.length + (output.from === 'step' && output.index === index ? 1 : 0),
    );
  }

  /** @throws ServeError `SERVE_BAD_REQUEST` if a part of the input that is used cannot be there */
  run(input: unknown): Promise<unknown> {
    return new GraphRun(this, input).result;
  }
}

/** One request on its way through a graph. */
class GraphRun {
  readonly result: Promise<unknown>;
  readonly inputs: readonly unknown[];
  readonly values: unknown[];
  readonly #graph: RunnableGraph;
  readonly #waiting: number[];
  readonly #uses: number[];
  readonly #calls: Array<DeploymentResponse<unknown> | undefined>;
  #left: number;
  /** Makes calls take their arguments at once, since none of them is a request whose body must be read first. */
  readonly #takesAtOnce: boolean;
  #isOver = false;
  #resolve!: (value: unknown) => void;
  #reject!: (error: unknown) => void;

  constructor(graph: RunnableGraph, input: unknown) {
    const { steps } = graph;
    this.#graph = graph;
    this.inputs = graph.inputs.map((path) => select(input, path));
    this.#takesAtOnce = !this.inputs.some(needsResolving);
    this.values = new Array(steps.length);
    this.#waiting = graph.waiting.slice();
    this.#uses = graph.uses.slice();
    this.#calls = new Array(steps.length);
    this.#left = steps.length;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    if (steps.length === 0) this.#resolve(graph.output(this));
    for (let step = 0; step < steps.length && !this.#isOver; step++) {
      if (graph.waiting[step] === 0) this.#start(step);
    }
  }

  #start(index: number): void {
    const { remote, args, after } = this.#graph.steps[index] as RunnableStep;
    const values = args.map((read) => read(this));
    for (const needed of after) {
      if (--this.#uses[needed]! > 0) continue;
      const value = this.values[needed];
      this.values[needed] = undefined;
      const isMovable = this.#graph.steps[needed]?.isMovable === true && this.#takesAtOnce;
      if (isMovable && mayHoldMemory(value)) giveAway(value);
    }
    const call = remote.remote(...values);
    this.#calls[index] = call;
    // A promise is as fast as a direct call, and keeps the async context of the request.
    call.then(
      (value) => this.#done(index, value),
      (error: unknown) => this.#fail(error),
    );
  }

  #done(index: number, value: unknown): void {
    if (this.#isOver) return;
    this.#calls[index] = undefined;
    this.values[index] = value;
    if (--this.#left === 0) {
      this.#isOver = true;
      this.#resolve(this.#graph.output(this));
      return;
    }
    for (const next of (this.#graph.steps[index] as RunnableStep).before) {
      if (--this.#waiting[next]! === 0 && !this.#isOver) this.#start(next);
    }
  }

  /** Fails the request with the first failure of a call. Running calls are cancelled, and no other starts. */
  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const call of this.#calls) call?.cancel(error);
    this.#reject(error);
  }
}

/** Whether a value may hold large memory. False is certain: primitives and flat objects, which are cheaper to copy than to mark. */
function mayHoldMemory(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.getPrototypeOf(value) !== Object.prototype) return true;
  for (const key in value) if (typeof Reflect.get(value, key) === 'object') return true;
  return false;
}

function reader(source: Source): Reader {
  switch (source.from) {
    case 'value': {
      const { value } = source;
      return () => value;
    }
    case 'input': {
      const { index } = source;
      return (run) => run.inputs[index];
    }
    case 'step': {
      const { index } = source;
      return (run) => run.values[index];
    }
    case 'list': {
      const items = source.items.map(reader);
      return (run) => items.map((read) => read(run));
    }
    case 'record': {
      const { keys } = source;
      const items = source.items.map(reader);
      return (run) => Object.fromEntries(keys.map((key, index) => [key, items[index]?.(run)]));
    }
  }
}

/** Selects a part of the input by own properties. A missing property is undefined; undefined has no parts. */
function select(input: unknown, path: readonly string[]): unknown {
  let value = input;
  for (let depth = 0; depth < path.length; depth++) {
    const key = path[depth] as string;
    if (value === undefined || value === null) {
      const [wanted, owner] = [spellPath('input', path), spellPath('input', path.slice(0, depth))];
      const detail = `the graph needs ${wanted}, and ${owner} is ${String(value)}`;
      throw new ServeError('SERVE_BAD_REQUEST', detail, { detail });
    }
    value = Object.hasOwn(Object(value), key) ? Reflect.get(Object(value), key) : undefined;
  }
  return value;
}
