import { ISOLATIONS } from '../../deployment/options/isolations.ts';
import { invalidOption, ServeError } from '../../errors.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import { plannedReplicas, type Scale } from '../../store/snapshot.ts';
import type { AppRuntime } from '../apps/app-runtime.ts';
import type { ScalingNeeds } from './scalable-app.ts';

/**
 * Sets the number of replicas of a deployment, or the bounds of an autoscaled one, in place of those of its options.
 *
 * @throws ServeError `SERVE_NOT_FOUND` for an unknown deployment; `SERVE_INVALID_OPTION` for bounds of one that is not
 * autoscaled, and for a deployment without a number of replicas
 */
export async function scaleDeployment(
  app: AppRuntime,
  deployment: string,
  scale: Scale,
  { control, log, events }: Pick<ScalingNeeds, 'control' | 'log' | 'events'>,
): Promise<void> {
  const spec = app.spec.deployments.find(({ name }) => name === deployment);
  if (spec === undefined) {
    const known = app.spec.deployments.map(({ name }) => name).join(', ');
    const message = `app '${app.name}' has no deployment '${deployment}'; it has ${known}`;
    throw new ServeError('SERVE_NOT_FOUND', message, { app: app.name, deployment });
  }
  const { isolation, autoscaling } = spec.options;
  if (!ISOLATIONS[isolation].isReplicated) {
    const allowed = `no scaling with isolation '${isolation}': every caller thread has its own replica`;
    throw invalidOption(`scale(${deployment})`, scale, allowed);
  }
  const key = routeKey(app.name, deployment);
  const isAutoscaled = (control.fleet?.autoscalingOf(key) ?? autoscaling) !== undefined;
  if (!('replicas' in scale) && !isAutoscaled) {
    const allowed = 'a number of replicas: the deployment is not autoscaled and has no bounds';
    throw invalidOption(`scale(${deployment})`, scale, allowed);
  }
  const from = plannedReplicas(control.snapshot, key) ?? 0;
  await control.override({ type: 'scale', key, scale });
  const to = plannedReplicas(control.snapshot, key) ?? from;
  if (to === from || !('replicas' in scale)) return;
  const about = { app: app.name, deployment, from, to, reason: `scale() set ${scale.replicas} replicas` };
  log.info(about, `${deployment}: ${from} → ${to} replicas`);
  events.emit('scaling', about);
}
