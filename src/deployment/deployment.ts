import { invalidOption } from '../errors.ts';
import type { DeploymentSchemas } from '../validation/schema.ts';
import type { BoundDeployment } from './bound.ts';
import { bindDeployment } from './bound-methods.ts';
import { callerModule, toFileUrl } from './call-site.ts';
import { assertConfigurable } from './configurable.ts';
import type { DeploymentDefinition } from './deployment-definition.ts';
import { deploymentName } from './deployment-name.ts';
import type { Bind, Deployable } from './deployment-types.ts';
import { CallNode } from './graph-node.ts';
import { assertRepeatable } from './idempotent.ts';
import {
  type DeploymentOptions,
  mergeOptions,
  parseDeploymentOptions,
} from './options/deployment-options.ts';
import { registerTarget } from './registry.ts';
import { isClass, reservedMethods } from './remote-methods.ts';
import type { MatchingSchemas } from './schema-types.ts';

/**
 * A class or function with its serving options. Immutable.
 *
 * @typeParam _Hint text that the compiler shows where a bound deployment is expected
 */
export class Deployment<T, _Hint extends string = 'call .bind() first'> {
  readonly #parts: DeploymentDefinition;
  /** The deployment that the nodes of a function call. */
  #called: BoundDeployment<unknown> | undefined = undefined;

  /** @internal Use `deployment()`. */
  constructor(parts: DeploymentDefinition) {
    this.#parts = parts;
    Object.freeze(this);
  }

  /** Name of the running deployment. */
  get name(): string {
    return this.#parts.options.name;
  }

  /**
   * Returns a copy with other options.
   * @throws ServeError `SERVE_INVALID_OPTION`
   */
  options(changes: Omit<DeploymentOptions, 'schemas'>): Deployment<T> {
    if ('schemas' in changes && changes.schemas !== undefined) {
      const where = 'to be set where deployment() is called: replicas find them there';
      throw invalidOption('deployment.schemas', changes.schemas, where);
    }
    const parsed = parseDeploymentOptions({
      ...mergeOptions(this.#parts.options, changes),
      module: undefined,
    });
    if (changes.module !== undefined && changes.module !== this.#parts.module) {
      throw invalidOption(
        'deployment.module',
        changes.module,
        'to be set where deployment() is called, not later',
      );
    }
    assertRepeatable(parsed, this.#parts.target, 'deployment');
    assertConfigurable(parsed, this.#parts.target, 'deployment');
    const isNameInferred = this.#parts.isNameInferred && changes.name === undefined;
    return new Deployment({
      ...this.#parts,
      isNameInferred,
      options: { ...parsed, name: parsed.name ?? this.name },
    });
  }

  /**
   * For a class: binds the arguments of the constructor (or of `static create`). A `BoundDeployment` among them, also nested
   * in arrays and plain objects, becomes a `DeploymentHandle` in the replica.
   *
   * For a function: without arguments returns the bound deployment, with arguments a node of a deployment graph that calls
   * it. All nodes of one function share one deployment.
   *
   * @throws ServeError `SERVE_NOT_SERIALIZABLE`, naming the path
   */
  readonly bind: Bind<T> = ((...args: unknown[]) => {
    const parts = this.#parts;
    if (args.length === 0 || isClass(parts.target)) return bindDeployment(parts, args);
    this.#called ??= bindDeployment(parts, []);
    return new CallNode(this.#called, 'call', args, parts.options.name);
  }) as Bind<T>;
}

/**
 * Makes a class or function deployable. Call it at the top level of its module: the replica's thread imports that module
 * and finds the target by its name.
 *
 * @param target a class, or a function (sync, async, generator, async generator)
 * @throws ServeError `SERVE_INVALID_OPTION` for a wrong option, a reserved method name, a missing name, or a name that
 * another target of the module already has
 */
export function deployment<T extends Function, const S extends DeploymentSchemas = {}>(
  target: T & Deployable<T>,
  options: DeploymentOptions & { schemas?: S & MatchingSchemas<T, S> } = {},
): Deployment<T> {
  if (typeof target !== 'function')
    throw invalidOption('deployment(target)', target, 'a class or a function');
  const parsed = parseDeploymentOptions(options);
  const name = deploymentName(parsed.name, target);
  assertRepeatable(parsed, target, 'deployment');
  assertConfigurable(parsed, target, 'deployment');
  if (isClass(target)) {
    const [reserved] = reservedMethods(target);
    if (reserved !== undefined) {
      throw invalidOption(
        `${name}.${reserved}`,
        'a method',
        `another name: '${reserved}' belongs to the handle`,
      );
    }
  }
  const module = parsed.module === undefined ? callerModule() : (toFileUrl(parsed.module) as string);
  const { schemas = {}, ...others } = parsed;
  registerTarget(module, name, { target, schemas });
  return new Deployment<T>({
    target,
    module,
    exportName: name,
    isNameInferred: parsed.name === undefined,
    options: { ...others, name },
  });
}
