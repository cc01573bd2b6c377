import type { AppSpec } from '../deployment/app-spec.ts';
import type { RouteKey } from '../handle/routing/directory.ts';
import type { TrafficSplitConfig } from '../handle/routing/traffic-split.ts';
import type { Plan, Scale, Snapshot, TargetCapacity } from './snapshot.ts';

/** Fencing token: grows with every controller that leads. A change with a token older than the newest is rejected. */
export type FencingToken = number;

/** One step from a snapshot to the next. */
export type Change =
  /** An instance deploys an app, or another version of it. */
  | { readonly type: 'declare'; readonly instance: string; readonly app: AppSpec }
  /** An instance no longer deploys an app. */
  | { readonly type: 'withdraw'; readonly instance: string; readonly app: string }
  | { readonly type: 'capacity'; readonly capacity: TargetCapacity }
  /** @param scale undefined restores the declared number */
  | { readonly type: 'scale'; readonly key: RouteKey; readonly scale: Scale | undefined }
  /** @param trial undefined ends the trial of the app */
  | { readonly type: 'trial'; readonly app: string; readonly trial: TrafficSplitConfig | undefined }
  /** An app was deleted: its overrides are dropped. */
  | { readonly type: 'forget'; readonly app: string }
  | ({ readonly type: 'plan' } & Pick<Plan, 'counts' | 'shares'>);

/** Desired state and plan of an instance or of a fleet, and the only way to change them. */
export interface Store {
  /** The newest snapshot: frozen, and never changed in place. */
  read(): Snapshot;
  /**
   * Changes the state.
   *
   * @param token fencing token of the leading controller, as the proposer knows it
   * @returns the first snapshot that has the change
   * @throws ServeError `SERVE_UNAVAILABLE` if another controller leads now, or the state cannot be reached
   */
  propose(change: Change, token: FencingToken): Promise<Snapshot>;
  /**
   * Calls the listener with every new snapshot, in order; of several that arrive at once only with the last.
   * @returns a function that ends the watch
   */
  watch(listener: (snapshot: Snapshot) => void): () => void;
}
