import { ServeError } from '../errors.ts';
import { METHOD_HTTP } from '../pool/frames.ts';
import { isClass, remoteMethods } from './methods.ts';

/** How the ingress answers HTTP: a fetch-style router, `call(request)`, or not at all. */
export type IngressKind = 'fetch' | 'call' | 'none';

type Method = (this: unknown, ...args: unknown[]) => unknown;

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
  #disposed = false;

  private constructor(instance: object, isFunction: boolean) {
    this.#instance = instance;
    this.#isFunction = isFunction;
    this.methodNames = isFunction ? ['call'] : remoteMethods(instance);
    this.#methods = isFunction
      ? [instance as Method]
      : this.methodNames.map((name) => Reflect.get(instance, name) as Method);
    const fetch: unknown = isFunction ? undefined : Reflect.get(instance, 'fetch');
    const call = this.#methods[this.methodNames.indexOf('call')];
    this.ingressKind = typeof fetch === 'function' ? 'fetch' : call === undefined ? 'none' : 'call';
    this.#ingress = typeof fetch === 'function' ? (fetch as Method) : call;
  }

  /**
   * Constructs: `static create(...args)` if the class (or a base) has one and answers an instance, else `new`.
   * A function deployment is called with nothing bound.
   */
  static async construct(target: Function, args: unknown[]): Promise<UserCode> {
    if (!isClass(target)) return new UserCode(target, true);
    const create: unknown = Reflect.get(target, 'create');
    if (typeof create === 'function') {
      const made: unknown = await create.apply(target, args);
      if (typeof made === 'object' && made !== null && made instanceof target)
        return new UserCode(made, false);
    }
    return new UserCode(Reflect.construct(target, args) as object, false);
  }

  /** Whether the ingress method takes the request. */
  get ingressTakesRequest(): boolean {
    return this.ingressKind === 'fetch' || (this.#ingress?.length ?? 0) > 0 || this.#isFunction;
  }

  /** Runs a remote method; its `this` is the instance. */
  invoke(method: number, args: unknown[]): unknown {
    const fn = method === METHOD_HTTP ? this.#ingress : this.#methods[method];
    if (fn === undefined)
      throw new ServeError('SERVE_UNKNOWN_METHOD', `there is no method with index ${method}`);
    return fn.apply(this.#instance, args);
  }

  /** Remote methods by name. */
  get methods(): ReadonlyMap<string, unknown> {
    return new Map(this.methodNames.map((name, index) => [name, this.#methods[index]]));
  }

  methodName(method: number): string {
    return method === METHOD_HTTP ? this.ingressKind : (this.methodNames[method] ?? '');
  }

  /** Applies a user config. @throws ServeError `SERVE_INVALID_OPTION` if there is no `reconfigure` */
  async reconfigure(userConfig: unknown): Promise<void> {
    const hook = this.#hook('reconfigure');
    if (hook === undefined) {
      const what = this.#isFunction ? 'a function deployment' : 'a class without reconfigure(userConfig)';
      throw new ServeError('SERVE_INVALID_OPTION', `userConfig is set on ${what}`);
    }
    await hook.call(this.#instance, userConfig);
  }

  /** Throws if the replica is not healthy. */
  async checkHealth(): Promise<void> {
    await this.#hook('checkHealth')?.call(this.#instance);
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
