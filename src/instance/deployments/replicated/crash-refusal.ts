import type { RestartPolicy } from '../../../controller/back-off.ts';
import type { RouteKey } from '../../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../../handle/routing/endpoint-registry.ts';
import type { Clock } from '../../../time/control-clock.ts';
import type { DeploymentReporter } from '../deployment-reporter.ts';
import type { ReplicaHistory } from './replica-history.ts';

/** Time after which callers retry while a replica is starting, in ms. */
const STARTING_MS = 1_000;
const SECOND_MS = 1_000;

/**
 * Refuses the calls to a deployment whose crash budget is spent while none of its replicas takes calls: the next one is
 * started after up to `restart.maxDelayMs`, which is longer than most deadlines. Callers learn at once when to retry.
 */
export class CrashRefusal {
  readonly #key: RouteKey;
  readonly #reporter: DeploymentReporter;
  readonly #registry: EndpointRegistry;
  readonly #clock: Clock;
  readonly #accept: () => void;
  /** The last refusal that callers received. */
  #told: string | undefined = undefined;

  /** @param accept makes callers send calls again */
  constructor(
    key: RouteKey,
    reporter: DeploymentReporter,
    registry: EndpointRegistry,
    clock: Clock,
    accept: () => void,
  ) {
    this.#key = key;
    this.#reporter = reporter;
    this.#registry = registry;
    this.#clock = clock;
    this.#accept = accept;
  }

  /** Refuses or accepts calls by the state of the replicas. @param isServing a replica takes calls, or none should run */
  judge(history: ReplicaHistory, restart: RestartPolicy, isServing: boolean, at: number): void {
    if (isServing || !history.isCrashing(restart, at)) this.#end();
    else if (history.isDegraded) this.#begin(history.degradation);
    else this.#beginTill(restart, history.starts.nextIn(restart, at));
  }

  /** Refuses calls because no replica will start. */
  #begin(why: string): void {
    this.#tell(why, why, undefined);
  }

  /** @param nextInMs time until the next start in ms; 0 = a replica is starting */
  #beginTill({ maxCrashes, windowMs }: RestartPolicy, nextInMs: number): void {
    // `Retry-After` counts in seconds.
    const seconds = Math.ceil(nextInMs / SECOND_MS);
    const at = new Date(this.#clock.timestamp() + nextInMs).toISOString();
    const next = nextInMs === 0 ? 'another one is being started' : `the next one is started at ${at}`;
    const why = `${maxCrashes} replicas crashed within ${windowMs / SECOND_MS} s; ${next}`;
    this.#tell(String(seconds), why, Math.max(seconds * SECOND_MS, STARTING_MS));
  }

  /** Replicas take calls, or may start. */
  #end(): void {
    if (this.#told === undefined) return;
    this.#told = undefined;
    this.#accept();
  }

  /** Leaves it to other parts of the deployment whether calls are accepted. */
  forget(): void {
    this.#told = undefined;
  }

  /** @param key callers are informed again when it changes */
  #tell(key: string, why: string, retryAfterMs: number | undefined): void {
    if (key === this.#told) return;
    this.#told = key;
    const error = this.#reporter.unavailable(`no replica can take calls: ${why}`, retryAfterMs);
    this.#registry.fail(this.#key, error);
  }
}
