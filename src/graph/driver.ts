import { deployment } from '../deployment/deployment.ts';
import type { DeploymentHandle } from '../handle/api/handle-types.ts';
import { type HttpAdapter, jsonRequest, toAdapter } from '../input/adapters.ts';
import { MAX_ONGOING_LIMIT } from '../load/load-table.ts';
import type { RouteDescription } from '../openapi/openapi-types.ts';
import { ONLY_READS, ROUTES } from '../replica/describe-methods.ts';
import { methodNotAllowed, POST_ONLY } from '../replica/method-not-allowed.ts';
import { toJsonSchema } from '../validation/json-schema.ts';
import { isSchema, type Schema } from '../validation/schema.ts';
import { ROOT_ROUTE } from './compile.ts';
import { HostValue } from './host-value.ts';
import type { GraphPlan } from './plan.ts';
import { type Remote, RunnableGraph } from './run.ts';
import { unknownRoute } from './unknown-route.ts';

/** Methods of requests without a body, which have no input. */
const METHODS: readonly string[] = ['GET', 'HEAD', 'POST'];

/**
 * Runs deployment graphs. It runs inline, on the thread that calls it, so that a value goes from one node to the next over a
 * single thread.
 */
export class GraphDriver {
  readonly #graphs: ReadonlyMap<string, RunnableGraph>;
  readonly #isSingle: boolean;
  readonly #adapter: (request: Request) => unknown;
  /** The schema of the input; undefined if the adapter is a function, which reads the request itself. */
  readonly #schema: Schema | undefined;
  /** Whether the adapter only reads the body; false for a function of the user, which may do anything with the request. */
  readonly [ONLY_READS]: boolean;

  /** @param callees the deployments that the plan counts */
  constructor(
    plan: GraphPlan,
    callees: readonly DeploymentHandle<unknown>[],
    adapter: HostValue<HttpAdapter & object> | undefined,
  ) {
    const remoteOf = (index: number, method: string): Remote => {
      const handle = callees[index] as object;
      // The handle itself stands for `call`.
      return (method === 'call' ? handle : Reflect.get(handle, method)) as Remote;
    };
    this.#graphs = new Map(
      plan.routes.map(({ route, plan: one }) => [route, new RunnableGraph(one, plan.callees, remoteOf)]),
    );
    this.#isSingle = plan.isSingle;
    const given = HostValue.valueIn(adapter);
    this.#schema = isSchema(given) ? given : undefined;
    this[ONLY_READS] = given === undefined || this.#schema !== undefined;
    this.#adapter = given === undefined ? inputOf : toAdapter(given, 'httpAdapter');
  }

  predict(...args: unknown[]): Promise<unknown> {
    return this.#graph(ROOT_ROUTE).run(inputFrom(args));
  }

  predictWithRoute(route: string, ...args: unknown[]): Promise<unknown> {
    return this.#graph(route).run(inputFrom(args));
  }

  async fetch(request: Request): Promise<unknown> {
    const graph = this.#graph(this.#isSingle ? ROOT_ROUTE : pathOf(request));
    const allowed = this.#schema === undefined ? METHODS : POST_ONLY;
    if (!allowed.includes(request.method)) return methodNotAllowed(allowed);
    return graph.run(await this.#adapter(request));
  }

  /** Describes the routes for OpenAPI. Every route takes the input of the adapter. */
  async [ROUTES](): Promise<RouteDescription[]> {
    const input = this.#schema && { input: await toJsonSchema(this.#schema, 'input') };
    // The user's adapter may read any part of the request.
    const takesJson = this[ONLY_READS];
    const paths = this.#isSingle ? ['/'] : [...this.#graphs.keys()];
    return paths.map((path) => ({ path, takesRequest: true, takesJson, isStream: false, ...input }));
  }

  #graph(route: string): RunnableGraph {
    const graph = this.#graphs.get(route);
    if (graph !== undefined) return graph;
    throw unknownRoute(route, this.#graphs.keys());
  }
}

/** One argument is the input itself, several are the tuple. */
function inputFrom(args: unknown[]): unknown {
  return args.length > 1 ? args : args[0];
}

/** The body as JSON; a request without one has no input. */
function inputOf(request: Request): unknown {
  return request.method === 'POST' ? jsonRequest(request) : undefined;
}

function pathOf(request: Request): string {
  const { pathname } = new URL(request.url);
  return pathname.length > 1 && pathname.endsWith('/') ? pathname.slice(0, -1) : pathname;
}

export const driver = deployment(GraphDriver, {
  name: 'DAGDriver',
  module: import.meta.url,
  isolation: 'inline',
  // The deployments that it calls have limits of their own.
  maxOngoingRequests: MAX_ONGOING_LIMIT,
});
