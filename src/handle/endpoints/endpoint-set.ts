import { methodIndex } from '../../channel/method-names.ts';
import { RESERVED } from '../../load/load-table.ts';
import type { Call } from '../call/call.ts';
import type { Outcome } from '../call/call-stats.ts';
import { Candidates } from './candidates.ts';
import type { Endpoint } from './endpoint.ts';
import { reservePlace } from './load-balancing.ts';
import { isSkewed, supporting } from './method-compatibility.ts';
import type { ModelAffinity } from './model-affinity.ts';
import { OutlierEjection } from './outlier-ejection.ts';
import { SessionAffinity } from './session-affinity.ts';

/** Interval between inspections of the replicas while calls come, in ms. */
const LOOK_MS = 50;
/** Interval until the next inspection after a failure, in ms. */
const SOON_MS = 10;

/**
 * The replicas of a deployment as one caller thread sees them: which of them are in service, and what each costs. Work
 * that is not needed for every call is done every 50 ms, by the time that a call brings along.
 */
export class EndpointSet {
  /** Time at which `look` is due. */
  dueAt = 0;
  readonly sessions = new SessionAffinity();
  readonly #all: Endpoint[] = [];
  #inService: readonly Endpoint[] = this.#all;
  /** Set while two versions with different methods run side by side. */
  #isSkewed = false;
  /** Set while some endpoints are in other instances. */
  #candidates: Candidates | undefined = undefined;
  #isMixed = false;
  #version: string | undefined = undefined;
  readonly #ejection = new OutlierEjection<Endpoint>();
  #medianMs = 0;
  #lookedAt = 0;

  get all(): readonly Endpoint[] {
    return this.#all;
  }

  /** The endpoints that are not ejected. */
  get inService(): readonly Endpoint[] {
    return this.#inService;
  }

  /** Sets the version of the deployment in this instance; undefined if only other instances have it. */
  set version(version: string | undefined) {
    if (version === this.#version) return;
    this.#version = version;
    this.#changed();
  }

  add(endpoint: Endpoint): void {
    endpoint.refresh(0, this.#medianMs, 1);
    this.#all.push(endpoint);
    this.#ejection.add(endpoint);
    this.#changed();
  }

  remove(replicaId: string): Endpoint | undefined {
    const index = this.#all.findIndex((endpoint) => endpoint.replicaId === replicaId);
    const [endpoint] = index === -1 ? [] : this.#all.splice(index, 1);
    if (endpoint === undefined) return undefined;
    this.#ejection.remove(endpoint);
    this.#changed();
    return endpoint;
  }

  /** @returns the removed endpoints */
  clear(): Endpoint[] {
    const endpoints = this.#all.splice(0);
    for (const endpoint of endpoints) this.#ejection.remove(endpoint);
    this.#changed();
    return endpoints;
  }

  /** Whether any replica has calls of this thread. */
  get hasOutstanding(): boolean {
    return this.#all.some(({ channel }) => channel.outstanding > 0);
  }

  /** Free places by the limits of the replicas. */
  readonly places = (): number => {
    let free = 0;
    for (const { channel } of this.#all) free += channel.free;
    return free;
  };

  /** Returns how many calls of all callers the replicas ended since the last reading. */
  takeServed(): number {
    let ended = 0;
    for (const endpoint of this.#all) ended += endpoint.takeServed();
    return ended;
  }

  /**
   * Takes a place for a call at a replica; undefined if none is free.
   * @param at the time, as exactly as the caller knows it
   * @param except a replica to skip
   * @param models chooses for calls that name a model
   */
  reserve(call: Call, at: number, except?: Endpoint, models?: ModelAffinity): Endpoint | undefined {
    const { probe } = this.#ejection;
    const { modelKey } = call;
    if (probe !== undefined && except === undefined && this.#reserveProbe(call, probe, at)) {
      if (modelKey !== undefined) models?.sent(call, modelKey, probe, at);
      return probe;
    }
    if (this.#isMixed) return this.#reserveMixed(call, at, except, models);
    return modelKey === undefined || models === undefined
      ? reservePlace(call, this.#inService, except, at, this.sessions)
      : models.reserve(call, modelKey, this.#inService, except, at);
  }

  /** Takes a place while endpoints differ in their methods or their instance. */
  #reserveMixed(
    call: Call,
    at: number,
    except: Endpoint | undefined,
    models: ModelAffinity | undefined,
  ): Endpoint | undefined {
    const candidates =
      this.#candidates === undefined || this.#isSkewed
        ? new Candidates(this.#supporting(call.method), this.#version)
        : this.#candidates;
    return candidates.reserve(call, except, at, this.sessions, models);
  }

  /** A call has ended. @param wasSent the call was sent and no part of its answer had arrived */
  settled(call: Call, wasSent: boolean, outcome: Outcome, at: number): void {
    if (wasSent) this.answered(call, outcome, at);
    const session = call.meta?.sessionId;
    if (session !== undefined && call.endpoint?.channel.tier === 'local')
      this.sessions.worked(session, call.ranUntil(at));
  }

  /** A call that was sent has ended, or its stream has begun. */
  answered(call: Call, outcome: Outcome, at: number): void {
    const { endpoint } = call;
    if (endpoint === undefined) return;
    const ms = call.ranUntil(at);
    if (outcome === 'ok') {
      endpoint.observe(ms, at);
    } else if (outcome !== 'cancelled' && outcome !== 'died') {
      // A failure teaches no latency, however quick it was.
      endpoint.observeAtLeast(Math.max(ms, this.#medianMs), at);
      if (at >= this.#lookedAt + SOON_MS) this.look(at);
    }
  }

  /** Updates the costs, and ejects replicas that fail much more often than the others. */
  look(at: number): void {
    this.#lookedAt = at;
    this.dueAt = at + LOOK_MS;
    if (this.#ejection.look(at)) this.#changed();
    this.#medianMs = medianLatency(this.#inService);
    for (const endpoint of this.#all) {
      endpoint.refresh(at, this.#medianMs, this.#ejection.costFactor(endpoint));
    }
    this.sessions.balance(at, this.#inService);
  }

  /**
   * The replicas in service that have a method; if all replicas with the method are ejected, they are still better than
   * replicas without it.
   */
  #supporting(method: string): readonly Endpoint[] {
    const able = supporting(method, this.#all);
    const inService = able.filter((endpoint) => !this.#ejection.isOut(endpoint));
    return inService.length > 0 ? inService : able;
  }

  #reserveProbe(call: Call, probe: Endpoint, at: number): boolean {
    const { channel } = probe;
    const isAble = methodIndex(call.method, channel.methods) !== undefined;
    if (!isAble || channel.reserve(at) !== RESERVED.ok) return false;
    this.#ejection.probeSent();
    return true;
  }

  #changed(): void {
    this.#isSkewed = isSkewed(this.#all);
    const inService = this.#all.filter((endpoint) => !this.#ejection.isOut(endpoint));
    this.#inService = inService.length === this.#all.length ? this.#all : inService;
    const hasPeers = inService.some(({ channel }) => channel.tier === 'peer');
    this.#candidates = hasPeers ? new Candidates([...inService], this.#version) : undefined;
    this.#isMixed = this.#isSkewed || hasPeers;
  }
}

/** The lower median over the replicas that have answered; 0 = no replica has. */
function medianLatency(endpoints: readonly Endpoint[]): number {
  const known = endpoints.filter(({ isKnown }) => isKnown).map(({ latencyMs }) => latencyMs);
  known.sort((a, b) => a - b);
  return known[(known.length - 1) >> 1] ?? 0;
}
