import { BoundDeployment } from '../deployment/bound.ts';
import { assertBound, deploymentsIn, nameDeployments } from '../deployment/compile-app.ts';
import { GraphDriver } from './driver.ts';
import { spellPath } from './input-node.ts';
import type { GraphPlan, Plan, Source } from './plan.ts';

/** A deployment of an app, or a node of one of its graphs. */
export interface AppNode {
  /** Unique within the description, and the same for the same app. */
  readonly id: string;
  /** `driver`: the deployment that runs graphs. `input`, `call` and `output` are the nodes of a graph. */
  readonly kind: 'deployment' | 'driver' | 'input' | 'call' | 'output';
  /** The deployment; for a node of a graph, the driver that it belongs to. */
  readonly deployment: string;
  /** For a node of a graph: the route of the graph. */
  readonly route?: string;
  /** For a call: the called deployment and method. */
  readonly calls?: { readonly deployment: string; readonly method: string };
}

/** A connection between two parts of an app. */
export interface AppEdge {
  readonly from: string;
  readonly to: string;
  /**
   * `handle`: the deployment holds a handle to the other. `value`: the value of a node goes to the other. `call`: the node calls
   * the deployment. `route`: the driver runs the graph that begins there.
   */
  readonly kind: 'handle' | 'value' | 'call' | 'route';
  /** For a value: its place in the arguments, and the part of the input that it is, such as `input.text → arg 0`. */
  readonly label?: string;
}

/** The parts of an app as plain data. */
export interface AppDescription {
  /** The `id` of the deployment that receives requests. */
  readonly ingress: string;
  readonly nodes: readonly AppNode[];
  readonly edges: readonly AppEdge[];
}

/**
 * Returns the deployments of an app, the handles between them, and the nodes of its graphs, as plain data. Deploys nothing.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` for a value that is neither a bound deployment nor a graph
 */
export function describeGraph(app: BoundDeployment<unknown>): AppDescription {
  assertBound(app, 'describeGraph(app)');
  const names = nameDeployments(app);
  const nodes: AppNode[] = [];
  const edges: AppEdge[] = [];
  for (const [bound, deployment] of names) {
    const driven = graphsOf(bound);
    nodes.push({ id: deployment, kind: driven === undefined ? 'deployment' : 'driver', deployment });
    if (driven === undefined) {
      for (const child of deploymentsIn(bound)) {
        edges.push({ from: deployment, to: names.get(child) ?? '', kind: 'handle' });
      }
      continue;
    }
    const callees = driven.callees.map((callee) => names.get(callee) ?? '');
    for (const { route, plan } of driven.plan.routes) {
      const graph = new GraphWriter(deployment, route, plan, callees);
      nodes.push(...graph.nodes());
      edges.push(...graph.edges());
    }
  }
  return { ingress: names.get(app) ?? '', nodes, edges };
}

/** The arguments that the driver of a graph was bound to; undefined for other deployments. */
function graphsOf(bound: BoundDeployment<unknown>) {
  if (BoundDeployment.partsOf(bound).target !== GraphDriver) return undefined;
  const [plan, callees] = BoundDeployment.argumentsOf(bound) as [GraphPlan, BoundDeployment<unknown>[]];
  return { plan, callees };
}

/** Writes out the nodes and edges of one graph. */
class GraphWriter {
  readonly #driver: string;
  readonly #route: string;
  readonly #plan: Plan;
  readonly #callees: readonly string[];

  constructor(driver: string, route: string, plan: Plan, callees: readonly string[]) {
    this.#driver = driver;
    this.#route = route;
    this.#plan = plan;
    this.#callees = callees;
  }

  nodes(): AppNode[] {
    const common = { deployment: this.#driver, route: this.#route };
    const calls = this.#plan.steps.map(({ deployment, method }, index): AppNode => {
      const calls = { deployment: this.#callees[deployment] ?? '', method };
      return { id: this.#id(index), kind: 'call', ...common, calls };
    });
    return [
      { id: this.#id('input'), kind: 'input', ...common },
      ...calls,
      { id: this.#id('output'), kind: 'output', ...common },
    ];
  }

  edges(): AppEdge[] {
    const { steps, output } = this.#plan;
    return [
      { from: this.#driver, to: this.#id('input'), kind: 'route', label: this.#route },
      ...steps.flatMap(({ deployment, args }, index) => [
        ...args.flatMap((arg, position) => [...this.#values(arg, index, `arg ${position}`)]),
        { from: this.#id(index), to: this.#callees[deployment] ?? '', kind: 'call' as const },
      ]),
      ...this.#values(output, 'output', ''),
    ];
  }

  /** Adds edges for the values that go into a node. @param at their place in its arguments */
  *#values(source: Source, to: number | 'output', at: string): Generator<AppEdge> {
    if (source.from === 'step') {
      yield this.#value(source.index, to, at);
    } else if (source.from === 'input') {
      const part = spellPath('input', this.#plan.inputs[source.index] ?? []);
      yield this.#value('input', to, at === '' ? part : `${part} → ${at}`);
    } else if (source.from !== 'value') {
      const keys = source.from === 'record' ? source.keys : Object.keys(source.items);
      for (const [index, item] of source.items.entries()) {
        yield* this.#values(item, to, spellPath(at, [keys[index] ?? '']));
      }
    }
  }

  #value(from: number | 'input', to: number | 'output', label: string): AppEdge {
    return { from: this.#id(from), to: this.#id(to), kind: 'value', ...(label === '' ? {} : { label }) };
  }

  #id(node: number | 'input' | 'output'): string {
    return `${this.#driver}${this.#route}#${node}`;
  }
}
