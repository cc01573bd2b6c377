import type { Consultation } from '../../cluster/node/events.ts';
import type { Wish } from '../../controller/autoscale.ts';
import { keepMs } from '../../controller/load-scaler.ts';
import type { Wanted } from '../../controller/policy.ts';
import type { AutoscalingContext } from '../../deployment/options/autoscaling-policy.ts';
import { namesOf, type RouteKey } from '../../handle/routing/directory.ts';
import type { Hold } from '../scaling/ask-policies.ts';
import type { FaultReports } from '../scaling/fault-reports.ts';
import { PolicyMemory } from '../scaling/policy-memory.ts';
import { StatWindows } from '../scaling/stat-windows.ts';

/** A deployment whose policy the leader of the fleet consults, with the values that its replicas reported. */
export class ConsultedDeployment {
  readonly faults: FaultReports;
  readonly #memory: PolicyMemory;
  #stats: StatWindows;
  #last: Consultation;

  constructor(consultation: Consultation, faults: FaultReports) {
    this.faults = faults;
    this.#memory = new PolicyMemory(...namesOf(consultation.deployment as RouteKey));
    this.#stats = new StatWindows(keepMs(consultation.config));
    this.#last = consultation;
    this.#record(consultation);
  }

  /** Takes the next consultation, whose target is as the fleet has decided since the last one. */
  follow(consultation: Consultation, currentTime: number): void {
    const { target, config } = this.#last;
    this.#memory.changed(target, consultation.target, currentTime);
    if (keepMs(consultation.config) !== keepMs(config))
      this.#stats = new StatWindows(keepMs(consultation.config));
    this.#last = consultation;
    this.#record(consultation);
  }

  /** The context of the policy; undefined if no policy must be asked. */
  context(currentTime: number): AutoscalingContext | undefined {
    const running = Object.keys(this.#last.replicas);
    return this.#memory.context({ ...this.#last, running, stats: this.#stats }, currentTime);
  }

  /** Keeps the state that the policy returned. @returns the wish, as the fleet needs it */
  remember(wish: Wanted | Hold): Wish {
    if (!('replicas' in wish)) return wish;
    this.#memory.state = wish.state;
    return wish.replicas;
  }

  #record({ replicas, inputs }: Consultation): void {
    this.#stats.keep(new Set(Object.keys(replicas)));
    for (const [replica, values] of Object.entries(replicas)) this.#stats.record(inputs.at, replica, values);
  }
}
