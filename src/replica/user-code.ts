import { METHOD_HTTP, METHOD_WEBSOCKET } from '../channel/frames.ts';
import type { Registration } from '../deployment/registry.ts';
import { isClass, remoteMethods } from '../deployment/remote-methods.ts';
import { invalidOption, ServeError } from '../errors.ts';
import type { IngressDescription } from '../openapi/openapi-types.ts';
import { isPlainObject } from '../validation/fields.ts';
import type { DeploymentSchemas } from '../validation/schema.ts';
import { describeIngress, ONLY_READS } from './describe-methods.ts';
import { type Method, withRequestSchemas, withSchemas } from './schemas.ts';

/** The way in which the ingress answers HTTP: a fetch-style router, `call(request)`, or not at all. */
export type IngressKind = 'fetch' | 'call' | 'none';

/**
 * The user's object behind a replica: an instance of the deployment's class, or its function. Knows the names and the
 * order of construction and hooks, and nothing of calls.
 */
export class UserCode {
  readonly #instance: object;
  readonly #isFunction: boolean;
  /** Remote methods, in the order of their indices on the wire. */
  readonly methodNames: readonly string[];
  readonly #methods: readonly Method[];
  readonly #ingress: Method | undefined;
  readonly ingressKind: IngressKind;
  /** Whether the ingress method has a parameter for the request. */
  readonly ingressTakesRequest: boolean;
  readonly #schemas: DeploymentSchemas;
  readonly #websocket: Method | undefined;
  #disposed = false;

  private constructor(instance: object, isFunction: boolean, schemas: DeploymentSchemas) {
    this.#instance = instance;
    this.#isFunction = isFunction;
    this.#schemas = schemas;
    this.methodNames = isFunction ? ['call'] : remoteMethods(instance);
    assertMethods(schemas, this.methodNames);
    const methods = isFunction
      ? [instance as Method]
      : this.methodNames.map((name) => Reflect.get(instance, name) as Method);
    this.#methods = methods.map((method, index) => {
      const name = this.methodNames[index] ?? '';
      return withSchemas(name, method, schemas[name]);
    });
    const fetch: unknown = isFunction ? undefined : Reflect.get(instance, 'fetch');
    const call = methods[this.methodNames.indexOf('call')];
    if (typeof fetch === 'function') {
      this.ingressKind = 'fetch';
      this.#ingress = fetch as Method;
    } else {
      this.ingressKind = call === undefined ? 'none' : 'call';
      this.#ingress = call && withRequestSchemas(call, schemas['call']);
    }
    this.ingressTakesRequest =
      isFunction ||
      this.ingressKind === 'fetch' ||
      (call?.length ?? 0) > 0 ||
      schemas['call']?.input !== undefined;
    const websocket: unknown = isFunction ? undefined : Reflect.get(instance, 'websocket');
    this.#websocket = typeof websocket === 'function' ? (websocket as Method) : undefined;
  }

  /**
   * Constructs the instance: by `static create(...args)` if the class (or a base) has it and it returns an instance, else by
   * `new`. The function of a deployment is used as it is.
   */
  static async construct({ target, schemas }: Registration, args: unknown[]): Promise<UserCode> {
    if (!isClass(target)) return new UserCode(target, true, schemas);
    const create: unknown = Reflect.get(target, 'create');
    if (typeof create === 'function') {
      const made: unknown = await create.apply(target, args);
      if (typeof made === 'object' && made !== null && made instanceof target)
        return new UserCode(made, false, schemas);
      if (made === undefined) {
        const name = target.name || 'the class';
        console.warn(
          `static create() of ${name} returned undefined, so new ${name}() was called: return the instance`,
        );
      }
    }
    return new UserCode(Reflect.construct(target, args) as object, false, schemas);
  }

  /** Whether it has `websocket(socket, request)`. */
  get takesWebSockets(): boolean {
    return this.#websocket !== undefined;
  }

  /** Whether it is a router, which makes requests from requests. */
  get makesRequests(): boolean {
    return this.ingressKind === 'fetch' && Reflect.get(this.#instance, ONLY_READS) !== true;
  }

  /** Runs a remote method; its `this` is the instance. */
  invoke(method: number, args: unknown[]): unknown {
    const fn = this.#find(method);
    if (fn === undefined)
      throw new ServeError('SERVE_UNKNOWN_METHOD', `there is no method with index ${method}`);
    return fn.apply(this.#instance, args);
  }

  /** Remote methods by name. */
  get methods(): ReadonlyMap<string, unknown> {
    return new Map(this.methodNames.map((name, index) => [name, this.#methods[index]]));
  }

  methodName(method: number): string {
    if (method === METHOD_WEBSOCKET) return 'websocket';
    return method === METHOD_HTTP ? this.ingressKind : (this.methodNames[method] ?? '');
  }

  #find(method: number): Method | undefined {
    if (method === METHOD_WEBSOCKET) return this.#websocket;
    return method === METHOD_HTTP ? this.#ingress : this.#methods[method];
  }

  /** Applies a user config. @throws ServeError `SERVE_INVALID_OPTION` if there is no `reconfigure` */
  async reconfigure(userConfig: unknown): Promise<void> {
    const hook = this.#hook('reconfigure');
    if (hook === undefined) {
      const what = this.#isFunction
        ? 'the deployment is a function'
        : 'the class has no reconfigure(userConfig)';
      throw new ServeError('SERVE_INVALID_OPTION', `userConfig cannot be applied: ${what}`);
    }
    await hook.call(this.#instance, userConfig);
  }

  /** Whether it reports values of its own for autoscaling. */
  get hasAutoscalingStats(): boolean {
    return this.#hook('recordAutoscalingStats') !== undefined;
  }

  /** Returns the result of `recordAutoscalingStats()`: numbers by name. @throws TypeError for any other result */
  async autoscalingStats(): Promise<Record<string, number>> {
    const answer: unknown = await this.#hook('recordAutoscalingStats')?.call(this.#instance);
    const entries = isPlainObject(answer) ? Object.entries(answer) : undefined;
    if (entries?.every(([, value]) => Number.isFinite(value)))
      return Object.fromEntries(entries) as Record<string, number>;
    throw new TypeError('recordAutoscalingStats() must return an object of finite numbers by name');
  }

  /** Whether it has `checkHealth()`. */
  get hasHealthCheck(): boolean {
    return this.#hook('checkHealth') !== undefined;
  }

  /** Throws if the replica is not healthy. */
  async checkHealth(): Promise<void> {
    await this.#hook('checkHealth')?.call(this.#instance);
  }

  /** Describes the ingress for OpenAPI. */
  describe(): Promise<IngressDescription> {
    const instance = this.#instance;
    return describeIngress({
      instance,
      kind: this.ingressKind,
      takesRequest: this.ingressTakesRequest,
      takesWebSockets: this.takesWebSockets,
      method: this.#isFunction ? (instance as Method) : (Reflect.get(instance, 'call') as Method | undefined),
      schemas: this.#schemas['call'] ?? {},
    });
  }

  /** Runs the destructor, once. */
  async dispose(): Promise<void> {
    if (this.#disposed || this.#isFunction) return;
    this.#disposed = true;
    const hook = this.#hook(Symbol.asyncDispose) ?? this.#hook(Symbol.dispose);
    await hook?.call(this.#instance);
  }

  #hook(name: string | symbol): Method | undefined {
    if (this.#isFunction) return undefined;
    const hook: unknown = Reflect.get(this.#instance, name);
    return typeof hook === 'function' ? (hook as Method) : undefined;
  }
}

/** Checks that every schema has its method. This needs the instance, whose own fields may be methods as well. */
function assertMethods(schemas: DeploymentSchemas, names: readonly string[]): void {
  for (const name of Object.keys(schemas)) {
    if (names.includes(name)) continue;
    throw invalidOption(`deployment.schemas.${name}`, 'a schema', `the remote methods: ${names.join(', ')}`);
  }
}
