import { BoundDeployment } from '../deployment/bound.ts';
import { CallNode } from '../deployment/graph-node.ts';
import { ISOLATIONS } from '../deployment/options/isolations.ts';
import { invalidOption, ServeError } from '../errors.ts';
import { isPlainObject } from '../validation/fields.ts';
import { isPortable } from '../values/marks.ts';
import { InputPlaceholder } from './input-node.ts';
import type { GraphPlan, Plan, Source, Step } from './plan.ts';

/** A plan, and the deployments that its callee indices stand for. */
export interface CompiledGraph {
  readonly plan: GraphPlan;
  readonly deployments: readonly BoundDeployment<unknown>[];
}

/** The route of a graph that was given without one. */
export const ROOT_ROUTE = '/';

/**
 * Works out once which calls the output of a graph needs, in an order in which each call comes after those it needs.
 *
 * @param graph a node, or nodes by route
 * @param what the name of the graph in an error
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function compileGraph(graph: unknown, what: string): CompiledGraph {
  const isSingle = isNode(graph);
  const nodes = isSingle ? { [ROOT_ROUTE]: graph } : nodesByRoute(graph, what);
  const callees = new Callees();
  const routes = Object.entries(nodes).map(([route, node]) => ({
    route,
    plan: new PlanWriter(callees, isSingle ? what : `${what}['${route}']`).write(node),
  }));
  const { deployments } = callees;
  const isRemote = deployments.map((bound) => {
    const { isolation = 'thread' } = BoundDeployment.partsOf(bound).options;
    const { isByReference, allowsTransfer } = ISOLATIONS[isolation];
    return !isByReference && allowsTransfer;
  });
  return {
    plan: { routes, isSingle, callees: isRemote.map((remote) => ({ isRemote: remote })) },
    deployments,
  };
}

function isNode(value: unknown): value is CallNode<unknown> | InputPlaceholder {
  return value instanceof CallNode || value instanceof InputPlaceholder;
}

function nodesByRoute(graph: unknown, what: string): Record<string, unknown> {
  const allowed = "a node, or an object of nodes by route, such as { '/a': bound.method.bind(input) }";
  if (graph instanceof BoundDeployment) {
    throw invalidOption(what, graph, `${allowed}; call a method of the deployment: bound.method.bind(input)`);
  }
  if (!isPlainObject(graph) || Object.keys(graph).length === 0) throw invalidOption(what, graph, allowed);
  for (const [route, node] of Object.entries(graph)) {
    if (!/^\/(?:[^?#\s]*[^?#\s/])?$/.test(route)) {
      throw invalidOption(`${what}, a route`, route, "a path that starts with '/' and has none at its end");
    }
    if (!isNode(node)) throw invalidOption(`${what}['${route}']`, node, 'a node');
  }
  return graph;
}

/** The deployments that the graphs of a driver call, each once. */
class Callees {
  readonly #indices = new Map<BoundDeployment<unknown>, number>();

  get deployments(): readonly BoundDeployment<unknown>[] {
    return [...this.#indices.keys()];
  }

  indexOf(bound: BoundDeployment<unknown>): number {
    const known = this.#indices.get(bound);
    if (known !== undefined) return known;
    this.#indices.set(bound, this.#indices.size);
    return this.#indices.size - 1;
  }
}

/** Writes the plan of one graph. */
class PlanWriter {
  readonly #callees: Callees;
  readonly #what: string;
  readonly #steps = new Map<CallNode<unknown>, number>();
  /** The parts of the input by their spelling. */
  readonly #inputs = new Map<string, number>();
  #root: InputPlaceholder | undefined = undefined;

  constructor(callees: Callees, what: string) {
    this.#callees = callees;
    this.#what = what;
  }

  write(output: unknown): Plan {
    const nodes = reachableFrom(output);
    for (const [index, node] of nodes.entries()) this.#steps.set(node, index);
    const steps = nodes.map((node) => this.#step(node));
    const result = this.#source(output, this.#what, []) ?? value(output);
    return {
      inputs: [...this.#inputs.keys()].map((key) => JSON.parse(key) as string[]),
      steps,
      output: result,
    };
  }

  #step(node: CallNode<unknown>): Step {
    const name = CallNode.nameOf(node);
    const args = CallNode.argumentsOf(node).map((arg, index) =>
      this.#sourceOf(arg, `${name}.bind(arg ${index})`, []),
    );
    return {
      deployment: this.#callees.indexOf(CallNode.targetOf(node)),
      method: CallNode.methodOf(node),
      args,
      after: [...new Set(args.flatMap((arg) => [...stepsIn(arg)]))].sort((a, b) => a - b),
    };
  }

  #sourceOf(arg: unknown, path: string, above: readonly unknown[]): Source {
    return this.#source(arg, path, above) ?? value(arg);
  }

  /** The source of an argument; undefined if it contains no node. @param above the containers around it */
  #source(arg: unknown, path: string, above: readonly unknown[]): Source | undefined {
    if (typeof arg !== 'object' || arg === null) return undefined;
    if (arg instanceof CallNode) return { from: 'step', index: this.#steps.get(arg) as number };
    if (arg instanceof InputPlaceholder) return { from: 'input', index: this.#input(arg) };
    if (isForeignNode(arg)) {
      throw invalidOption(path, arg, 'nodes made by this copy of inserve; another copy made this one');
    }
    // A value may contain itself; a container of nodes may not (see `container`).
    if (above.includes(arg)) return undefined;
    if (Array.isArray(arg) || isPlainObject(arg)) return this.#container(arg, path, [...above, arg]);
    if (arg instanceof Map || arg instanceof Set) {
      for (const item of [...arg].flat()) {
        if (this.#source(item, path, [...above, arg]) === undefined) continue;
        throw invalidOption(path, arg, 'nodes nested in arrays and plain objects, not in a Map or a Set');
      }
    }
    return undefined;
  }

  #container(container: object, path: string, above: readonly unknown[]): Source | undefined {
    const keys = Object.keys(container);
    const sources = keys.map((key) => this.#source(Reflect.get(container, key), `${path}.${key}`, above));
    if (sources.every((source) => source === undefined)) return undefined;
    const items = keys.map((key, index) => sources[index] ?? value(Reflect.get(container, key)));
    if (keys.some((key) => reaches(Reflect.get(container, key), container))) {
      throw invalidOption(path, container, 'a container of nodes that does not contain itself');
    }
    if (!Array.isArray(container)) return { from: 'record', keys, items };
    if (keys.length !== container.length || keys.some((key, index) => key !== `${index}`)) {
      throw invalidOption(path, container, 'an array of nodes without holes and named properties');
    }
    return { from: 'list', items };
  }

  #input(input: InputPlaceholder): number {
    const root = InputPlaceholder.rootOf(input);
    this.#root ??= root;
    if (root !== this.#root) {
      throw new ServeError(
        'SERVE_INVALID_OPTION',
        `${this.#what} uses two different InputNodes: a graph has one input; select its parts, as in input[0] and input.field`,
      );
    }
    const key = JSON.stringify(InputPlaceholder.pathOf(input));
    const known = this.#inputs.get(key);
    if (known !== undefined) return known;
    this.#inputs.set(key, this.#inputs.size);
    return this.#inputs.size - 1;
  }
}

function value(of: unknown): Source {
  return { from: 'value', value: of };
}

/** The calls that a value needs, in the order in which they were made. Iterative, because a chain may be of any length. */
function reachableFrom(output: unknown): CallNode<unknown>[] {
  const found = new Set<CallNode<unknown>>();
  const seen = new Set<unknown>();
  for (const open = [output]; open.length > 0; ) {
    const at = open.pop();
    if (typeof at !== 'object' || at === null || seen.has(at)) continue;
    seen.add(at);
    if (at instanceof CallNode) {
      found.add(at);
      for (const arg of CallNode.argumentsOf(at)) open.push(arg);
    } else if (Array.isArray(at) || isPlainObject(at)) {
      for (const item of Object.values(at)) open.push(item);
    }
  }
  return [...found].sort((a, b) => CallNode.serialOf(a) - CallNode.serialOf(b));
}

function* stepsIn(source: Source): Generator<number> {
  if (source.from === 'step') yield source.index;
  else if (source.from === 'list' || source.from === 'record')
    for (const item of source.items) yield* stepsIn(item);
}

/** Whether a value contains a container. */
function reaches(from: unknown, container: object): boolean {
  const seen = new Set<unknown>();
  for (const open = [from]; open.length > 0; ) {
    const at = open.pop();
    if (at === container) return true;
    if (seen.has(at) || !(Array.isArray(at) || isPlainObject(at))) continue;
    seen.add(at);
    for (const item of Object.values(at)) open.push(item);
  }
  return false;
}

/** Whether a value defines how it crosses threads, and is neither a bound deployment nor a handle. */
function isForeignNode(value: object): boolean {
  const name: unknown = Reflect.get(value, Symbol.toStringTag);
  return isPortable(value) && !(value instanceof BoundDeployment) && name !== 'DeploymentHandle';
}
