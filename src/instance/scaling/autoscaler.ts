import type { Autoscaling } from '../../controller/loop.ts';
import type { ScalingReport } from '../../controller/status.ts';
import type { WantedDeployment } from '../../controller/wanted.ts';
import type { RouteKey } from '../../handle/routing/directory.ts';
import type { Snapshot } from '../../store/snapshot.ts';
import { AppScaler } from './app-scaler.ts';
import type { ScalableApp, ScalingNeeds } from './scalable-app.ts';

/** Samples the load of all autoscaled deployments and decides about their numbers of replicas. */
export class Autoscaler implements Autoscaling {
  readonly #app: (name: string) => ScalableApp | undefined;
  readonly #needs: ScalingNeeds;
  readonly #scalers = new Map<string, AppScaler>();

  constructor(app: (name: string) => ScalableApp | undefined, needs: ScalingNeeds) {
    this.#app = app;
    this.#needs = needs;
  }

  decide(at: number, wanted: readonly WantedDeployment[], { overrides }: Snapshot): Map<RouteKey, number> {
    const byApp = new Map<string, WantedDeployment[]>();
    for (const one of wanted) {
      if (one.scaling.autoscaling === undefined) continue;
      const others = byApp.get(one.app);
      if (others === undefined) byApp.set(one.app, [one]);
      else others.push(one);
    }
    for (const [name, scaler] of this.#scalers) {
      if (byApp.has(name)) continue;
      scaler.close();
      this.#scalers.delete(name);
    }
    const targets = new Map<RouteKey, number>();
    for (const [name, deployments] of byApp) {
      const app = this.#app(name);
      if (app === undefined) continue;
      const scaler = this.#scalers.get(name) ?? new AppScaler(name, this.#needs);
      this.#scalers.set(name, scaler);
      scaler.decide(at, app, deployments, overrides.capacity, targets);
    }
    return targets;
  }

  /** The last decision about a deployment. */
  report(app: string, deployment: string): ScalingReport | undefined {
    return this.#scalers.get(app)?.report(deployment);
  }

  close(): void {
    for (const scaler of this.#scalers.values()) scaler.close();
    this.#scalers.clear();
  }
}
