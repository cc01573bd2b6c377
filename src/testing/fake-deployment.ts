import type { BoundDeployment } from '../deployment/bound.ts';
import { deployment } from '../deployment/deployment.ts';
import type { BoundDeploymentOf } from '../deployment/deployment-types.ts';
import { isRemoteName } from '../deployment/remote-methods.ts';
import { invalidOption } from '../errors.ts';
import type { InstanceOf, MethodNames, Signature } from '../handle/api/target.ts';

type FakeMethod<M> =
  Signature<M> extends { args: infer P extends readonly unknown[]; result: infer R }
    ? (...args: P) => R | Awaited<R> | Promise<Awaited<R>>
    : never;

/** Plain functions in place of the remote methods of a deployment; those that a test does not call may be left out. */
export type FakeMethods<T> = {
  [K in MethodNames<InstanceOf<T>> | Extract<keyof InstanceOf<T>, 'call'>]?: FakeMethod<
    Required<InstanceOf<T>>[K]
  >;
};

let made = 0;

/**
 * A bound deployment that answers with plain functions: `fakeDeployment<typeof Model>({ embed: () => new Float32Array(3) })`.
 * Bind it to the deployment under test, or give it to `testServe(app, { replace })`. A method that is left out answers
 * `SERVE_UNKNOWN_METHOD`. It runs where all deployments are inline, as under `testServe()`: threads cannot import it.
 *
 * @param name name of the deployment
 * @throws ServeError `SERVE_INVALID_OPTION` for a member that is not a function, or has a name that no remote method can have
 */
export function fakeDeployment<T>(methods: FakeMethods<T>, name = 'Fake'): BoundDeploymentOf<T> {
  for (const [method, fn] of Object.entries<unknown>(methods)) {
    if (typeof fn !== 'function') throw invalidOption(`fakeDeployment.${method}`, fn, 'a function');
    if (!isRemoteName(method))
      throw invalidOption('fakeDeployment(methods)', method, 'the name of a remote method');
  }
  return bindInline(methods, name, []) as BoundDeploymentOf<T>;
}

/**
 * @internal Binds a new class with these methods, which exists in this thread only.
 *
 * @param methods functions by name; `this` is the replica's object, with the arguments of its constructor as `args`
 */
export function bindInline(
  methods: object,
  name: string,
  args: readonly unknown[],
  options: object = {},
): BoundDeployment<unknown> {
  class InTest {
    readonly args: readonly unknown[];

    constructor(...args: readonly unknown[]) {
      this.args = args;
    }
  }
  for (const [method, value] of Object.entries(methods)) {
    Object.defineProperty(InTest.prototype, method, { value, writable: true, configurable: true });
  }
  // Each class is registered by a name of its own; `options()` renames only what runs.
  const target = deployment(InTest, { name: `in-test-${++made}`, module: import.meta.url });
  return target.options({ ...options, name }).bind(...args);
}
