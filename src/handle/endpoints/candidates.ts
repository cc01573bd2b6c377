import { RESERVED } from '../../load/load-table.ts';
import type { Call } from '../call/call.ts';
import type { Endpoint } from './endpoint.ts';
import { reservePlace } from './load-balancing.ts';
import type { ModelAffinity } from './model-affinity.ts';
import type { SessionAffinity } from './session-affinity.ts';
import { Tiers } from './tiers.ts';

/**
 * Endpoints that a call may go to where some of them are in other instances, which may run another version of the code.
 * Replicas of this instance and those of its own version come first; the others take calls for which these have no free place.
 */
export class Candidates {
  readonly #first: Group;
  /** Replicas of other versions in other instances; undefined if there are none, or no others. */
  readonly #rest: Group | undefined;

  /** @param version of the deployment in this instance; undefined if only other instances have it */
  constructor(endpoints: readonly Endpoint[], version: string | undefined) {
    const isOwn = (endpoint: Endpoint): boolean =>
      endpoint.channel.tier === 'local' || endpoint.version === version;
    const own = version === undefined ? [] : endpoints.filter(isOwn);
    const hasBoth = own.length > 0 && own.length < endpoints.length;
    this.#first = new Group(hasBoth ? own : endpoints);
    this.#rest = hasBoth ? new Group(endpoints.filter((endpoint) => !isOwn(endpoint))) : undefined;
  }

  /**
   * Takes a place for a call; undefined if none is free.
   *
   * @param except an endpoint to skip
   * @param at the time, as exactly as the caller knows it
   */
  reserve(
    call: Call,
    except: Endpoint | undefined,
    at: number,
    sessions: SessionAffinity,
    models: ModelAffinity | undefined,
  ): Endpoint | undefined {
    const first = this.#first;
    const rest = this.#rest;
    const found = first.reserve(call, except, at, sessions, models);
    if (found !== undefined) return found;
    // A call may wait for the replica that holds its model although others have room.
    const waits = call.modelKey !== undefined && models !== undefined && first.hasRoom(at);
    return (
      (waits ? undefined : rest?.reserve(call, except, at, sessions, models)) ??
      first.reserveToWait(call, except, at) ??
      rest?.reserveToWait(call, except, at)
    );
  }
}

/** Endpoints of equal rank. */
class Group {
  readonly #endpoints: readonly Endpoint[];
  /** Undefined if all of them are in this instance. */
  readonly #tiers: Tiers | undefined;

  constructor(endpoints: readonly Endpoint[]) {
    this.#endpoints = endpoints;
    this.#tiers = endpoints.some(({ channel }) => channel.tier === 'peer') ? new Tiers(endpoints) : undefined;
  }

  hasRoom(at: number): boolean {
    return this.#endpoints.some(({ channel }) => channel.room(at) === RESERVED.ok);
  }

  /** Takes a place for a call, which runs there at once unless it has a session or names a model; undefined if none is free. */
  reserve(
    call: Call,
    except: Endpoint | undefined,
    at: number,
    sessions: SessionAffinity,
    models: ModelAffinity | undefined,
  ): Endpoint | undefined {
    const endpoints = this.#endpoints;
    const { modelKey, meta } = call;
    if (modelKey !== undefined && models !== undefined)
      return models.reserve(call, modelKey, endpoints, except, at);
    // Sessions keep their own replicas, in whichever instance.
    if (this.#tiers === undefined || meta?.sessionId !== undefined)
      return reservePlace(call, endpoints, except, at, sessions);
    return this.#tiers.reserve(call.preferLocal, except, at);
  }

  /** Takes room for a call that has neither a session nor a model, and waits in another instance. */
  reserveToWait({ modelKey, meta }: Call, except: Endpoint | undefined, at: number): Endpoint | undefined {
    if (modelKey !== undefined || meta?.sessionId !== undefined) return undefined;
    return this.#tiers?.reserveToWait(except, at);
  }
}
