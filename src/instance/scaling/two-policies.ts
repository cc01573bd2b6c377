import type { AppAutoscalingPolicy } from '../../deployment/options/autoscaling-policy.ts';
import type { Logger } from '../../observe/logger.ts';

/** Warns where the autoscaling policy of an app replaces those of its deployments. */
export class TwoPolicies {
  readonly #app: string;
  readonly #log: Logger;
  #policy: AppAutoscalingPolicy | undefined = undefined;
  #named = '';

  constructor(app: string, log: Logger) {
    this.#app = app;
    this.#log = log;
  }

  /** @param deployments those of the autoscaled deployments that have a policy of their own */
  check(policy: AppAutoscalingPolicy | undefined, deployments: readonly string[]): void {
    const named = deployments.join();
    if (policy === this.#policy && named === this.#named) return;
    this.#policy = policy;
    this.#named = named;
    if (policy === undefined || deployments.length === 0) return;
    this.#log.warn(
      { app: this.#app, deployments },
      "the app's autoscaling policy replaces the policies of its deployments",
    );
  }
}
