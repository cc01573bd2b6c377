import { type RouteConfig, UNKNOWN_CONFIG } from '../../handle/call/route-config.ts';
import { isPlainObject } from '../../validation/fields.ts';
import { WireError } from '../../wire/wire-error.ts';
import type { ModelsStatus } from './models/peer-models.ts';

/** A replica of a peer. */
export interface PeerReplica {
  /** Number of the replica in answers, from 1 on; never used again for another replica of the deployment. */
  readonly number: number;
  readonly id: string;
}

/** A deployment of an instance, as its peers know it. */
export interface PeerEndpoint {
  /** Number of the endpoint in the frames of calls; never used again in one life of the instance. */
  readonly number: number;
  readonly app: string;
  readonly deployment: string;
  readonly version: string;
  /** Methods of the replicas; frames of calls give the index. */
  readonly methods: readonly string[];
  /** Number of the description: of two with one endpoint's number the greater counts. */
  readonly revision: number;
  /** Sum of the limits of the replicas. */
  readonly places: number;
  readonly replicas: readonly PeerReplica[];
  /** Models that the replicas hold; undefined if they keep none. */
  readonly models?: ModelsStatus | undefined;
  /** Whether calls to the app go to this deployment. */
  readonly isIngress: boolean;
  /** Options that callers act on, for instances that do not have the deployment. */
  readonly config: RouteConfig;
  readonly maxQueued: number;
}

/** The description of an instance's deployments for its peers: at first all of them, then every change. */
export interface EndpointsStatus {
  readonly kind: 'endpoints';
  /** Endpoints that are new or have changed. */
  readonly endpoints: readonly PeerEndpoint[];
  /** Numbers of endpoints that accept no more calls. */
  readonly gone: readonly number[];
}

/**
 * Reads the value of a `status` frame.
 *
 * @returns undefined for a status of another kind
 * @throws WireError
 */
export function readEndpoints(value: unknown): EndpointsStatus | undefined {
  if (!isPlainObject(value) || value['kind'] !== 'endpoints') return undefined;
  const { endpoints, gone } = value as Record<string, unknown>;
  if (
    !Array.isArray(endpoints) ||
    !endpoints.every(isEndpoint) ||
    !Array.isArray(gone) ||
    !gone.every(isCount)
  )
    throw new WireError('malformed', 'a peer described its deployments in an unknown form');
  return { kind: 'endpoints', endpoints, gone };
}

function isEndpoint(value: unknown): value is PeerEndpoint {
  if (!isPlainObject(value)) return false;
  const { number, app, deployment, version, methods, revision, places, replicas, models } = value as Record<
    string,
    unknown
  >;
  const { isIngress, config, maxQueued } = value;
  return (
    isCount(number) &&
    isCount(revision) &&
    isCount(places) &&
    (models === undefined || isModels(models)) &&
    Number.isSafeInteger(maxQueued) &&
    typeof isIngress === 'boolean' &&
    isConfig(config) &&
    isText(app) &&
    isText(deployment) &&
    isText(version) &&
    Array.isArray(methods) &&
    methods.every(isText) &&
    Array.isArray(replicas) &&
    replicas.every(isReplica)
  );
}

function isReplica(value: unknown): value is PeerReplica {
  return isPlainObject(value) && isCount(value['number']) && isText(value['id']);
}

function isModels(value: unknown): value is ModelsStatus {
  if (!isPlainObject(value)) return false;
  const { hashes, count, loadMs, idleMs } = value as Record<string, unknown>;
  return Array.isArray(hashes) && hashes.every(isCount) && [count, loadMs, idleMs].every(isAmount);
}

/** Whether the options have the types that a route relies on. */
function isConfig(value: unknown): value is RouteConfig {
  if (!isPlainObject(value)) return false;
  return Object.entries(UNKNOWN_CONFIG).every(
    ([name, known]) => known === undefined || typeof value[name] === typeof known || name === 'idempotent',
  );
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isAmount(value: unknown): boolean {
  return typeof value === 'number' && value >= 0 && Number.isFinite(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
