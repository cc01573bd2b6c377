import type { RestartPolicy } from '../../controller/back-off.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';
import type { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import type { Clock } from '../../time/control-clock.ts';
import type { DeploymentReporter } from './deployment-reporter.ts';
import type { ReplicaHistory } from './replica-history.ts';

/** While a replica is starting, callers come back after so long, in ms. */
const STARTING_MS = 1_000;
const SECOND_MS = 1_000;

/**
 * Refuses the calls to a deployment whose crash budget is spent while none of its replicas takes calls: the next one is
 * started after up to `restart.maxDelayMs`, which is longer than most deadlines. Callers learn at once when to come back.
 */
export class CrashRefusal {
  readonly #key: RouteKey;
  readonly #reporter: DeploymentReporter;
  readonly #registry: EndpointRegistry;
  readonly #clock: Clock;
  readonly #accept: () => void;
  /** What callers were told last. */
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

  /** Refuses or accepts calls, by what became of the replicas. @param isServing a replica takes calls, or none should */
  judge(history: ReplicaHistory, restart: RestartPolicy, isServing: boolean, at: number): void {
    if (isServing || !history.isCrashing(restart, at)) this.#end();
    else if (history.isDegraded) this.#begin(history.degradation);
    else this.#beginTill(restart, history.starts.nextIn(restart, at));
  }

  /** No replica will be started. */
  #begin(why: string): void {
    this.#tell(why, why, undefined);
  }

  /** @param nextInMs in how many ms the next replica is started; 0 = one is being started */
  #beginTill({ maxCrashes, windowMs }: RestartPolicy, nextInMs: number): void {
    // `Retry-After` counts in seconds.
    const seconds = Math.ceil(nextInMs / SECOND_MS);
    const at = new Date(this.#clock.timestamp() + nextInMs).toISOString();
    const next = nextInMs === 0 ? 'another one is being started' : `the next one is started at ${at}`;
    const why = `${maxCrashes} of them crashed within ${windowMs / SECOND_MS} s; ${next}`;
    this.#tell(String(seconds), why, Math.max(seconds * SECOND_MS, STARTING_MS));
  }

  /** Replicas take calls, or may be started. */
  #end(): void {
    if (this.#told === undefined) return;
    this.#told = undefined;
    this.#accept();
  }

  /** Something else decides from now on whether calls are accepted. */
  forget(): void {
    this.#told = undefined;
  }

  /** @param key callers are told again when it changes */
  #tell(key: string, why: string, retryAfterMs: number | undefined): void {
    if (key === this.#told) return;
    this.#told = key;
    const error = this.#reporter.unavailable(`no replica can take calls: ${why}`, retryAfterMs);
    this.#registry.fail(this.#key, error);
  }
}
