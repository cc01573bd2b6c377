/** The source of a value in a graph. */
export type Source =
  | { readonly from: 'value'; readonly value: unknown }
  /** Index into `Plan.inputs`. */
  | { readonly from: 'input'; readonly index: number }
  /** Index into `Plan.steps`. */
  | { readonly from: 'step'; readonly index: number }
  | { readonly from: 'list'; readonly items: readonly Source[] }
  | { readonly from: 'record'; readonly keys: readonly string[]; readonly items: readonly Source[] };

/** One call of a graph. */
export interface Step {
  /** Index into the deployments of the driver. */
  readonly deployment: number;
  readonly method: string;
  readonly args: readonly Source[];
  /** The steps whose values it needs, each once. */
  readonly after: readonly number[];
}

/** A graph as plain data: the calls of a request, worked out once. A step comes after those that it needs. */
export interface Plan {
  /** The parts of the input that are used, as paths of keys. */
  readonly inputs: readonly (readonly string[])[];
  readonly steps: readonly Step[];
  readonly output: Source;
}

/** A deployment that a graph calls. */
export interface Callee {
  /** Its results are the driver's alone, and it takes copies: not so on the driver's own thread. */
  readonly isRemote: boolean;
}

/** The graphs of one driver by their routes, and the deployments they call. */
export interface GraphPlan {
  readonly routes: readonly { readonly route: string; readonly plan: Plan }[];
  /** Whether there is one graph for every path. */
  readonly isSingle: boolean;
  readonly callees: readonly Callee[];
}
