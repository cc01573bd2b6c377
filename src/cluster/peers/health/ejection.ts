/** Failures in a row after which a peer is ejected. */
export const FAILURES = 5;
/** Duration of a first ejection, in ms; the n-th in a row takes n times as long. */
const BASE_MS = 30_000;
const MAX_MS = 300_000;
/** Greatest share of the peers that are ejected at a time. */
const MAX_EJECTED = 0.5;
/**
 * Share of healthy peers, which are neither ejected nor failing, below which ejections are ignored: the fault is then more
 * likely here than at the peers.
 */
const PANIC_BELOW = 0.5;
/** Time, in ms, for which a link has to hold to count as a success: a ping is sent and answered in it. */
export const STEADY_MS = 10_000;

/** Reason for an ejection: no link could be opened, or links opened and broke. */
export type EjectionCause = 'unreachable' | 'breaking';

interface PeerState {
  /** Links that could not be opened since the last one that could. */
  unreachable: number;
  /** Links that opened and broke soon since the last one that held. */
  breaking: number;
  /** Number of ejections in a row. */
  level: number;
  /** Time at which the ejection ends; 0 = the peer is not ejected. */
  until: number;
  cause: EjectionCause;
  /** Time at which the last ejection ended. */
  returnedAt: number;
}

/** The ejection of a peer. */
export interface Ejection {
  readonly cause: EjectionCause;
  /** Time at which the ejection ends by itself. */
  readonly until: number;
}

/**
 * Which peers get no calls because their links fail, as this instance sees it. Only failures of the link count: a refused
 * or broken connection, or an unanswered ping. Errors of user code and refused calls say nothing about a peer.
 *
 * A handshake ends the ejection of a peer that could not be reached. A peer whose links open and break again and again
 * would lose calls with each of them: it stays out for its time, or until a link has held for a while.
 */
export class PeerEjection {
  readonly #peers = new Map<string, PeerState>();
  /** No ejection ends before this time. */
  #nextEnd = Infinity;

  add(peer: string): void {
    if (this.#peers.has(peer)) return;
    const fresh = { unreachable: 0, breaking: 0, level: 0, until: 0, returnedAt: 0 };
    this.#peers.set(peer, { ...fresh, cause: 'unreachable' });
  }

  remove(peer: string): void {
    this.#peers.delete(peer);
  }

  /** No link to the peer could be opened. @returns whether the peer is ejected with this failure */
  failed(peer: string, at: number): boolean {
    const state = this.#state(peer, at);
    if (state === undefined) return false;
    state.unreachable++;
    return this.#eject(state, at);
  }

  /**
   * The link to the peer broke, or its ping was not answered.
   * @param heldMs time for which the link was open
   * @returns whether the peer is ejected with this failure
   */
  broke(peer: string, heldMs: number, at: number): boolean {
    const state = this.#state(peer, at);
    if (state === undefined) return false;
    state.breaking = heldMs < STEADY_MS ? state.breaking + 1 : 1;
    return this.#eject(state, at);
  }

  /** A handshake with the peer succeeded. @returns whether that ends an ejection */
  proved(peer: string, at: number): boolean {
    const state = this.#state(peer, at);
    if (state === undefined) return false;
    state.unreachable = 0;
    return state.cause === 'unreachable' && readmit(state, at);
  }

  /** The link to the peer has held for `STEADY_MS`. @returns whether that ends an ejection */
  held(peer: string, at: number): boolean {
    const state = this.#state(peer, at);
    if (state === undefined) return false;
    state.breaking = 0;
    return readmit(state, at);
  }

  /** The peers that get no calls now. */
  out(at: number): ReadonlySet<string> {
    this.#endExpired(at);
    const out = new Set<string>();
    let healthy = 0;
    for (const [peer, { until, unreachable, breaking }] of this.#peers) {
      if (until !== 0) out.add(peer);
      else if (unreachable === 0 && breaking === 0) healthy++;
    }
    if (healthy < PANIC_BELOW * this.#peers.size) out.clear();
    return out;
  }

  /** The ejection of the peer; undefined if the peer is not ejected. */
  ejectionOf(peer: string): Ejection | undefined {
    const state = this.#peers.get(peer);
    return state === undefined || state.until === 0 ? undefined : state;
  }

  #eject(state: PeerState, at: number): boolean {
    const { unreachable, breaking, until } = state;
    if (until !== 0 || Math.max(unreachable, breaking) < FAILURES) return false;
    if (this.#ejected() + 1 > MAX_EJECTED * this.#peers.size) return false;
    // Each time in service that is as long as a first ejection makes up for one ejection.
    if (state.level > 0)
      state.level = Math.max(0, state.level - Math.floor((at - state.returnedAt) / BASE_MS));
    state.level++;
    state.cause = breaking >= FAILURES ? 'breaking' : 'unreachable';
    state.until = at + Math.min(MAX_MS, BASE_MS * state.level);
    this.#nextEnd = Math.min(this.#nextEnd, state.until);
    return true;
  }

  #ejected(): number {
    let count = 0;
    for (const { until } of this.#peers.values()) if (until !== 0) count++;
    return count;
  }

  /** The state of a peer, once ejections that have taken their time are over. */
  #state(peer: string, at: number): PeerState | undefined {
    this.#endExpired(at);
    return this.#peers.get(peer);
  }

  #endExpired(at: number): void {
    if (at < this.#nextEnd) return;
    this.#nextEnd = Infinity;
    for (const state of this.#peers.values()) {
      if (state.until === 0) continue;
      if (at < state.until) {
        this.#nextEnd = Math.min(this.#nextEnd, state.until);
        continue;
      }
      readmit(state, state.until);
      state.unreachable = 0;
      state.breaking = 0;
    }
  }
}

function readmit(state: PeerState, at: number): boolean {
  if (state.until === 0) return false;
  state.until = 0;
  state.returnedAt = at;
  return true;
}
