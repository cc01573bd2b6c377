import type { FleetView } from '../../cluster/member/fleet-view.ts';
import type { ScalingReport } from '../../controller/status.ts';
import { namesOf, type RouteKey } from '../../handle/routing/directory.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';

type Decision = FleetView['decisions'][string];

/** The decisions of the fleet's autoscaling. Only the instance that leads knows them. */
export class FleetDecisions {
  readonly #events: Events;
  readonly #log: Logger;
  /** The last decision about each deployment, and when the leader made it by its own clock. */
  #taken = new Map<RouteKey, { readonly at: number; readonly report: ScalingReport }>();

  constructor(events: Events, log: Logger) {
    this.#events = events;
    this.#log = log;
  }

  /** The last decision about a deployment; undefined where this instance does not lead. */
  report(key: RouteKey): ScalingReport | undefined {
    return this.#taken.get(key)?.report;
  }

  follow({ decisions }: FleetView): void {
    const before = this.#taken;
    this.#taken = new Map();
    for (const [name, decision] of Object.entries(decisions)) {
      const key = name as RouteKey;
      const known = before.get(key);
      if (known?.at === decision.inputs.at) this.#taken.set(key, known);
      else this.#take(key, decision);
    }
  }

  #take(key: RouteKey, { from, to, desired, reason, inputs: { at, ...inputs } }: Decision): void {
    this.#taken.set(key, { at, report: { at: Date.now(), from, to, desired, reason, inputs } });
    if (to === from) return;
    const [app, deployment] = namesOf(key);
    const about = { app, deployment, from, to, reason };
    this.#log.info(about, `${deployment}: ${from} → ${to} replicas in the fleet`);
    this.#events.emit('scaling', about);
  }
}
