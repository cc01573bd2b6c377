import { setTimeout as wait } from 'node:timers/promises';
import { BoundDeployment } from '../deployment/bound.ts';
import { assertBound } from '../deployment/compile-app.ts';
import { isClass, remoteMethods } from '../deployment/remote-methods.ts';
import {
  type Fields,
  fn,
  integer,
  listOf,
  milliseconds,
  number,
  parseOptions,
  string,
} from '../validation/fields.ts';
import { bindInline } from './fake-deployment.ts';
import { seededRandom } from './random.ts';

export interface FaultOptions {
  /** Share of the calls that fail before they reach the deployment, 0 to 1. Default 0 */
  errorRate?: number;
  /** Returns the error of a call that fails. Default: an `Error` with the text `injected fault` */
  error?: () => unknown;
  /** Delay of each call, in ms. Default 0 */
  latencyMs?: number;
  /** Further delay, from 0 to this, in ms; another one for each call. Default 0 */
  jitterMs?: number;
  /** Names of the remote methods; needed for fields such as those of `batch()`. Default: the methods of the class */
  methods?: string[];
  /** Seed of all random numbers. Default 1 */
  seed?: number;
}

const FIELDS: Fields<FaultOptions> = {
  errorRate: number(0, 1),
  error: fn<() => unknown>(),
  latencyMs: milliseconds(),
  jitterMs: milliseconds(),
  methods: listOf(string()),
  seed: integer(0),
};

/** The handle of the deployment behind the faults. */
type Behind = Readonly<Record<string, { remote(...args: unknown[]): unknown }>> & {
  remote(...args: unknown[]): unknown;
};

/**
 * A bound deployment in front of another one that fails or delays calls, by a seed: the same seed and the same order of calls
 * give the same faults. Use it as `testServe(app, { replace: [[model, faulty(model, { errorRate: 0.2 })]] })`. An ingress with
 * `fetch` or `websocket` cannot be behind it.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function faulty<B extends BoundDeployment<unknown>>(bound: B, options: FaultOptions): B {
  assertBound(bound, 'faulty(bound)');
  const parsed = parseOptions<FaultOptions>(options, FIELDS, 'faulty');
  const { errorRate = 0, latencyMs = 0, jitterMs = 0, seed = 1 } = parsed;
  const { target, options: own } = BoundDeployment.partsOf(bound);
  const random = seededRandom(seed);

  const fault = async (): Promise<void> => {
    // Both numbers are always drawn, so that one option does not change what another one gives.
    const [isFailing, delayMs] = [random() < errorRate, latencyMs + random() * jitterMs];
    if (delayMs > 0) await wait(delayMs);
    if (isFailing) throw parsed.error === undefined ? new Error('injected fault') : parsed.error();
  };
  const forward = (name: string) =>
    async function (this: { readonly args: readonly unknown[] }, ...args: unknown[]): Promise<unknown> {
      await fault();
      const behind = this.args[0] as Behind;
      return name === 'call' ? behind.remote(...args) : behind[name]?.remote(...args);
    };
  const names =
    parsed.methods ?? (isClass(target) ? remoteMethods(Object.create(target.prototype)) : ['call']);
  const methods = Object.fromEntries(names.map((name) => [name, forward(name)]));
  const { maxOngoingRequests, maxQueuedRequests, requestTimeoutMs, idempotent } = own;
  const limits = { maxOngoingRequests, maxQueuedRequests, requestTimeoutMs, idempotent };
  return bindInline(methods, `${own.name.slice(0, 57)}_faulty`, [bound], limits) as B;
}
