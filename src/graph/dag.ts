import type { BoundDeployment } from '../deployment/bound.ts';
import type { Deployment } from '../deployment/deployment.ts';
import type { GraphNode } from '../deployment/graph-node.ts';
import type { DeploymentOptions } from '../deployment/options/deployment-options.ts';
import { invalidOption } from '../errors.ts';
import { type HttpAdapter, toAdapter } from '../input/adapters.ts';
import { anything, type Fields, fn, noSuchOption, parseOptions } from '../validation/fields.ts';
import { compileGraph } from './compile.ts';
import { driver, type GraphDriver } from './driver.ts';
import type { BoundDag, ValueOf } from './graph-types.ts';
import { HostValue } from './host-value.ts';
import { InputNode } from './input-node.ts';

/** Options of a graph. */
export interface DagOptions<In = unknown> {
  /** Makes the input from an HTTP request. Default: the JSON body of a POST, no input for a GET. */
  httpAdapter?: HttpAdapter<In>;
}

const FIELDS: Fields<DagOptions> = { httpAdapter: anything() };

const DRIVER_OPTIONS = [
  'name',
  'requestTimeoutMs',
  'streamIdleTimeoutMs',
  'streamTimeoutMs',
  'priority',
  'maxOngoingRequests',
  'maxQueuedRequests',
  'backpressure',
  'gracefulShutdownTimeoutMs',
] as const satisfies readonly (keyof DeploymentOptions)[];

/** The deployment options of a driver. Those for replicas are missing, since it runs inline, once per thread. */
export type DriverOptions = Pick<DeploymentOptions, (typeof DRIVER_OPTIONS)[number]>;

/** Makes a graph callable: by handle, over HTTP, or from a deployment into which it is bound. */
class Driver {
  readonly #deployment: Deployment<typeof GraphDriver>;

  constructor(deployment: Deployment<typeof GraphDriver>) {
    this.#deployment = deployment;
    Object.freeze(this);
  }

  /**
   * Returns a graph for `run`, `middleware` and `handle`.
   *
   * A single node is called by `handle.predict.remote(input)` and over HTTP under every path. Nodes by route are called by
   * `handle.predictWithRoute.remote('/a', input)` and over HTTP under their paths.
   *
   * @throws ServeError `SERVE_INVALID_OPTION` for a value that is not a graph, or an unknown option
   */
  bind<N extends GraphNode<unknown>>(node: N, options?: DagOptions): BoundDag<unknown, ValueOf<N>>;
  /** The same with the type of its input; the type of its result is the second parameter. */
  bind<In, R = unknown>(node: GraphNode<R>, options?: DagOptions<In>): BoundDag<In, R>;
  bind<Routes extends Readonly<Record<`/${string}`, GraphNode<unknown>>>>(
    routes: Routes,
    options?: DagOptions,
  ): BoundDag<unknown, ValueOf<Routes[keyof Routes]>>;
  bind<In, R = unknown>(
    routes: Readonly<Record<`/${string}`, GraphNode<R>>>,
    options?: DagOptions<In>,
  ): BoundDag<In, R>;
  bind(graph: unknown, options: DagOptions = {}): unknown {
    const { httpAdapter } = parseOptions<DagOptions>(options, FIELDS, 'DAGDriver.bind');
    // Checked here, because an error in a replica would come too late.
    if (httpAdapter !== undefined) toAdapter(httpAdapter, 'DAGDriver.bind.httpAdapter');
    const { plan, deployments } = compileGraph(graph, 'DAGDriver.bind(graph)');
    const bind = this.#deployment.bind as (...args: unknown[]) => BoundDeployment<GraphDriver>;
    return bind(plan, deployments, httpAdapter === undefined ? undefined : new HostValue(httpAdapter));
  }

  /**
   * Returns a driver with other options: name, timeouts and limits.
   * @throws ServeError `SERVE_INVALID_OPTION`
   */
  options(changes: DriverOptions): Driver {
    for (const [name, value] of Object.entries(changes)) {
      if (DRIVER_OPTIONS.some((option) => option === name)) continue;
      throw invalidOption(`DAGDriver.${name}`, value, noSuchOption(name, DRIVER_OPTIONS, ' of a driver'));
    }
    return new Driver(this.#deployment.options(changes));
  }
}

/** The driver of deployment graphs. */
export const DAGDriver: Driver = new Driver(driver);

/**
 * Returns a deployment graph that is declared in one expression; the types of input and result are inferred.
 *
 * @param declare takes the input and returns the node whose value is the result
 * @throws ServeError `SERVE_INVALID_OPTION`
 * @example dag((input: InputNode<{ text: string }>) => sentiment.score.bind(normalise.bind(input.text)))
 */
export function dag<In, R>(
  declare: (input: InputNode<In>) => GraphNode<R>,
  options: DagOptions<In> = {},
): BoundDag<In, R> {
  const declared = fn<typeof declare>().parse(declare, 'dag(declare)');
  return DAGDriver.bind<In, R>(declared(new InputNode<In>()), options);
}
