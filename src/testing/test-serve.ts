import type { BoundDeployment } from '../deployment/bound.ts';
import type { DeploymentHandle } from '../handle/api/handle-types.ts';
import type { RunOptions } from '../run-options.ts';
import { createServe, type Serve } from '../serve.ts';
import type { ServeOptions } from '../serve-options.ts';
import { ManualClock } from '../time/manual-clock.ts';
import { type Replacement, replaceDeployments } from './replace-deployments.ts';

/** Options of `testServe()`: those of `createServe()` and `run()`, with replacements. */
export interface TestServeOptions
  extends Omit<ServeOptions, 'isolation' | 'clock' | 'workerEntry'>,
    Pick<RunOptions, 'name' | 'routePrefix'> {
  /** Pairs of a deployment of the app and its replacement: a fake, or the same one with faults. Default: none */
  replace?: readonly Replacement[];
  /** The clock of the control plane. Default: a new `ManualClock` */
  clock?: ManualClock;
}

/** An app that runs in the thread of a test. Disposing closes it. */
export interface TestServe<T> extends AsyncDisposable {
  /** Handle of the app's ingress. */
  readonly handle: DeploymentHandle<T>;
  /** The instance: `serve.middleware(name)`, `serve.status()`, `serve.metrics()`. */
  readonly serve: Serve;
  /** The time of the control plane stands still until `clock.advance(ms)`. Deadlines of calls follow the real time. */
  readonly clock: ManualClock;
}

/**
 * Runs an app in the thread of a test, without threads of replicas and under a clock that stands still: the modules of the app
 * come from the test's own loader, with its transforms and mocks. Values are copied as for a thread.
 *
 * @param options options of `createServe()`, the app's name and route prefix, and replacements
 * @throws ServeError `SERVE_DEPLOY_FAILED` with the original error as `cause`; `SERVE_INVALID_OPTION`
 */
export async function testServe<T>(
  app: BoundDeployment<T>,
  options: TestServeOptions = {},
): Promise<TestServe<T>> {
  const { replace = [], clock = new ManualClock(), name, routePrefix, ...instance } = options;
  const tested = replaceDeployments(app, replace);
  const serve = createServe({ ...instance, clock, isolation: 'inline' });
  try {
    const handle = await serve.run(tested, {
      ...(name !== undefined && { name }),
      ...(routePrefix !== undefined && { routePrefix }),
    });
    return { handle, serve, clock, [Symbol.asyncDispose]: () => serve.close() };
  } catch (error) {
    await serve.close();
    throw error;
  }
}
