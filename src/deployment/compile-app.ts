import { invalidOption } from '../errors.ts';
import { isPlainObject } from '../validation/fields.ts';
import { isInstance } from '../validation/peek.ts';
import { digestFixed, prepareFixed } from '../values/digest.ts';
import { pack } from '../values/pack.ts';
import type { AppSpec, CompiledApp, DeploymentSpec, HostedDeployment } from './app-spec.ts';
import { BoundDeployment, type Naming, withNaming } from './bound.ts';
import { assertConfigurable } from './configurable.ts';
import { Deployment } from './deployment.ts';
import { CallNode } from './graph-node.ts';
import { assertRepeatable } from './idempotent.ts';
import { ingressFaceOf } from './ingress-face.ts';
import { moduleIdentity } from './module-identity.ts';
import type { AutoscalingConfig } from './options/autoscaling-config.ts';
import type { AppAutoscalingPolicy } from './options/autoscaling-policy.ts';
import { type DeploymentOptions, resolveOptions } from './options/deployment-options.ts';
import { resolveInline } from './options/inline-everywhere.ts';
import { planIdentity } from './python/python-plan.ts';

/** Changes to make while compiling. */
export interface CompileOptions {
  /** Number of times that the code was reloaded; each reload makes new versions. */
  readonly revision?: number;
  /** Returns the options to use for a deployment, given its name and its own options. */
  readonly adjust?: (name: string, options: DeploymentOptions) => DeploymentOptions;
  /** Policy that decides about all autoscaled deployments. */
  readonly autoscalingPolicy?: AppAutoscalingPolicy;
  /** Whether all deployments run on the caller's own event loop. Default false. */
  readonly isInline?: boolean;
}

/**
 * Compiles a bound deployment and all deployments bound into it.
 *
 * @param appVersion `createServe({ version })`; part of every deployment's version
 */
export function compileApp(
  ingress: BoundDeployment<unknown>,
  appName: string,
  appVersion: string,
  options: CompileOptions = {},
): CompiledApp {
  const { revision = 0, autoscalingPolicy, isInline = false } = options;
  const names = nameDeployments(ingress);
  const compiling: Compiling = { appName, appVersion, names, revision, isInline, adjust: options.adjust };
  const deployments = [...names].map(([bound, name]) => compileDeployment(bound, name, compiling));
  const { target, python } = BoundDeployment.partsOf(ingress);
  const spec: AppSpec = {
    name: appName,
    ingress: names.get(ingress) ?? '',
    ingressClass: target.name,
    // Only a replica knows whether a Python class has `__call__` and `websocket`.
    ingressFace: python === undefined ? ingressFaceOf(target) : { http: true, webSocket: true },
    deployments: deployments.map(({ source: _, ...plain }): DeploymentSpec => plain),
  };
  const again = (of: number): CompiledApp =>
    compileApp(ingress, appName, appVersion, { ...options, revision: of });
  const source = {
    deployments,
    names,
    autoscalingPolicy,
    recompile: () => again(revision + 1),
    readjust: () => again(revision),
  };
  return { spec, source, revision };
}

interface Compiling {
  readonly appName: string;
  readonly appVersion: string;
  readonly names: ReadonlyMap<BoundDeployment<unknown>, string>;
  readonly revision: number;
  readonly isInline: boolean;
  readonly adjust: CompileOptions['adjust'];
}

function compileDeployment(
  bound: BoundDeployment<unknown>,
  name: string,
  { appName: app, appVersion, names, revision, isInline, adjust = (_name, own) => own }: Compiling,
): HostedDeployment {
  const { target, module, exportName, options: own, python } = BoundDeployment.partsOf(bound);
  const bindings = BoundDeployment.argumentsOf(bound);
  const nameOf = (callee: BoundDeployment<unknown>): string => names.get(callee) ?? '';
  const naming: Naming = (callee) => ({ instance: '', app, deployment: nameOf(callee), options: {} });
  const args = withNaming(naming, () => pack(bindings, `${name}.bind`));
  const adjusted = adjust(name, own);
  assertRepeatable(adjusted, target, name);
  assertConfigurable(adjusted, target, name);
  const {
    env,
    autoscaling: scaling,
    ...resolved
  } = isInline && python === undefined ? resolveInline(adjusted) : resolveOptions(adjusted);
  const { policy, ...autoscaling } = scaling ?? {};
  const suffix = revision === 0 ? '' : `+r${revision}`;
  const { isolation, resourceLimits, resources } = resolved;
  const settings = { isolation, env, resourceLimits, resources, version: resolved.version };
  // Inputs that distinguish the replicas of two versions; the folder of the package is never one of them.
  const identity = [
    moduleIdentity(module),
    exportName,
    ...(python === undefined ? [] : [planIdentity(python)]),
  ];
  const code = [name, ...identity, bindings, settings, appVersion + suffix];
  const fingerprint = withNaming(naming, () => digestFixed(code)).slice(0, 12);
  return {
    name,
    options: { ...resolved, autoscaling: scaling && (autoscaling as AutoscalingConfig) },
    version: resolved.version === undefined ? fingerprint : resolved.version + suffix,
    fingerprint,
    callees: [...deploymentsIn(bound)].map(nameOf),
    source: {
      ...{ module, exportName, args, env, policy },
      ...(python && {
        python: {
          ...python,
          cores: resources.cpus,
          memoryMb: resources.memoryMb,
          replicas: resolved.numReplicas,
        },
      }),
    },
  };
}

/**
 * Hashes the memory in bound arguments on another thread, so that compiling stays short.
 * @returns undefined for small amounts
 */
export function prepareArguments(ingress: BoundDeployment<unknown>): Promise<unknown> | undefined {
  const preparing = [...nameDeployments(ingress).keys()].flatMap(
    (bound) => prepareFixed(BoundDeployment.argumentsOf(bound)) ?? [],
  );
  return preparing.length === 0 ? undefined : Promise.all(preparing);
}

/** The default name of an app. */
export function defaultAppName(ingress: BoundDeployment<unknown>): string {
  return BoundDeployment.partsOf(ingress).options.name;
}

/** Each bound deployment once, callees first; two bindings of one name become `X` and `X_1`. */
export function nameDeployments(ingress: BoundDeployment<unknown>): Map<BoundDeployment<unknown>, string> {
  const names = new Map<BoundDeployment<unknown>, string>();
  const taken = new Set<string>();
  const visit = (bound: BoundDeployment<unknown>): void => {
    if (names.has(bound)) return;
    for (const nested of deploymentsIn(bound)) visit(nested);
    const base = BoundDeployment.partsOf(bound).options.name;
    let name = base;
    for (let suffix = 1; taken.has(name); suffix++) name = `${base.slice(0, 60)}_${suffix}`;
    taken.add(name);
    names.set(bound, name);
  };
  visit(ingress);
  return names;
}

/** The bound deployments in the arguments of a deployment, each once. */
export function deploymentsIn(bound: BoundDeployment<unknown>): ReadonlySet<BoundDeployment<unknown>> {
  return new Set(nestedIn(BoundDeployment.argumentsOf(bound)));
}

/** @param seen containers on the path to here: captured arguments keep their cycles */
function* nestedIn(value: unknown, seen = new Set<unknown>()): Generator<BoundDeployment<unknown>> {
  if (value instanceof BoundDeployment) yield value;
  if (seen.has(value)) return;
  seen.add(value);
  for (const item of itemsOf(value)) yield* nestedIn(item, seen);
}

function itemsOf(value: unknown): Iterable<unknown> {
  if (value instanceof Set) return value;
  if (value instanceof Map) return [...value].flat();
  return Array.isArray(value) || isPlainObject(value) ? Object.values(value) : [];
}

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function assertBound(value: unknown, what: string): asserts value is BoundDeployment<unknown> {
  if (isInstance(value, BoundDeployment)) return;
  throw invalidOption(what, value, hintFor(value));
}

function hintFor(value: unknown): string {
  if (isInstance(value, Deployment)) return 'a bound deployment: call .bind() on it';
  if (isInstance(value, CallNode))
    return 'a bound deployment; this is a node of a graph, which runs behind a driver: DAGDriver.bind(node), or dag((input) => node)';
  return 'a bound deployment';
}
