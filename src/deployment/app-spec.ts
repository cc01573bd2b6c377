import { invalidOption } from '../errors.ts';
import { isPlainObject } from '../validation/fields.ts';
import { isInstance } from '../validation/peek.ts';
import { digestFixed, prepareFixed } from '../values/digest.ts';
import { type Packed, pack } from '../values/pack.ts';
import { BoundDeployment, type Naming, withNaming } from './bound.ts';
import { assertConfigurable } from './configurable.ts';
import { Deployment } from './deployment.ts';
import { CallNode } from './graph-node.ts';
import { assertRepeatable } from './idempotent.ts';
import { type IngressFace, ingressFaceOf } from './ingress-face.ts';
import { moduleIdentity } from './module-identity.ts';
import type { AppAutoscalingPolicy } from './options/autoscaling-policy.ts';
import {
  type DeploymentOptions,
  type ResolvedOptions,
  resolveOptions,
} from './options/deployment-options.ts';

/** One deployment of an app as plain data. */
export interface DeploymentSpec {
  readonly name: string;
  /** `file:` URL of the module that registers the target. */
  readonly module: string;
  readonly exportName: string;
  /** Arguments of the constructor; handles to other deployments of the app among them. */
  readonly args: Packed;
  readonly options: ResolvedOptions;
  /** What people call it: `options.version`, else a hash of the next. */
  readonly version: string;
  /** Another one needs new replicas; what else changes is changed in place. */
  readonly fingerprint: string;
}

/** An app as plain data: what the control plane works on. */
export interface AppSpec {
  readonly name: string;
  readonly ingress: string;
  /** Name of the class or function of the ingress. */
  readonly ingressClass: string;
  /** What the ingress answers, as far as its class shows. */
  readonly ingressFace: IngressFace;
  /** The ingress last: callees before callers. */
  readonly deployments: readonly DeploymentSpec[];
}

export interface CompiledApp {
  readonly spec: AppSpec;
  /** The name of each bound deployment in the app. */
  readonly names: ReadonlyMap<BoundDeployment<unknown>, string>;
  /** How often its code was loaded anew. */
  readonly revision: number;
  readonly autoscalingPolicy: AppAutoscalingPolicy | undefined;
  /** The same app, to be loaded from disk once more. */
  recompile(): CompiledApp;
}

/** What is changed on the way. */
export interface CompileOptions {
  /** How often the code was loaded anew: each time makes other versions. */
  readonly revision?: number;
  /** The options to use of a deployment, given its name and its own. */
  readonly adjust?: (name: string, options: DeploymentOptions) => DeploymentOptions;
  /** Decides about the replicas of all autoscaled deployments. */
  readonly autoscalingPolicy?: AppAutoscalingPolicy;
}

/**
 * Compiles a bound deployment and all that is bound into it.
 *
 * @param appVersion `createServe({ version })`; part of every deployment's version
 */
export function compileApp(
  ingress: BoundDeployment<unknown>,
  appName: string,
  appVersion: string,
  options: CompileOptions = {},
): CompiledApp {
  const { revision = 0, adjust = (_name, own) => own, autoscalingPolicy } = options;
  const names = nameDeployments(ingress);
  const deployments: DeploymentSpec[] = [];
  for (const [bound, name] of names) {
    const { target, module, exportName, options: own } = BoundDeployment.partsOf(bound);
    const bindings = BoundDeployment.argumentsOf(bound);
    const naming: Naming = (nested) => ({
      instance: '',
      app: appName,
      deployment: names.get(nested) ?? '',
      options: {},
    });
    const args = withNaming(naming, () => pack(bindings, `${name}.bind`));
    const adjusted = adjust(name, own);
    assertRepeatable(adjusted, target, name);
    assertConfigurable(adjusted, target, name);
    const resolved = resolveOptions(adjusted);
    const suffix = revision === 0 ? '' : `+r${revision}`;
    const { isolation, env, resourceLimits, resources } = resolved;
    const settings = { isolation, env, resourceLimits, resources, version: resolved.version };
    // What makes a replica of one version different from a replica of another; never where its package is installed.
    const code = [name, moduleIdentity(module), exportName, bindings, settings, appVersion + suffix];
    const fingerprint = withNaming(naming, () => digestFixed(code)).slice(0, 12);
    const version = resolved.version === undefined ? fingerprint : resolved.version + suffix;
    deployments.push({ name, module, exportName, args, options: resolved, version, fingerprint });
  }
  const { target } = BoundDeployment.partsOf(ingress);
  const spec: AppSpec = {
    name: appName,
    ingress: names.get(ingress) ?? '',
    ingressClass: target.name,
    ingressFace: ingressFaceOf(target),
    deployments,
  };
  const recompile = (): CompiledApp =>
    compileApp(ingress, appName, appVersion, { ...options, revision: revision + 1 });
  return { spec, names, revision, autoscalingPolicy, recompile };
}

/**
 * Hashes the memory in bound arguments on another thread, so that to compile them does not take long.
 * @returns undefined if there is little of it
 */
export function prepareArguments(ingress: BoundDeployment<unknown>): Promise<unknown> | undefined {
  const preparing = [...nameDeployments(ingress).keys()].flatMap(
    (bound) => prepareFixed(BoundDeployment.argumentsOf(bound)) ?? [],
  );
  return preparing.length === 0 ? undefined : Promise.all(preparing);
}

/** The name that an app has if it is given none. */
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

/** The bound deployments in the arguments of another one, each once. */
export function deploymentsIn(bound: BoundDeployment<unknown>): ReadonlySet<BoundDeployment<unknown>> {
  return new Set(nestedIn(BoundDeployment.argumentsOf(bound)));
}

/** @param seen containers on the way here: captured arguments keep their cycles */
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
