/** Failures in a row after which a peer is ejected. */
const FAILURES = 5;
/** Duration of a first ejection, in ms; the n-th in a row takes n times as long. */
const BASE_MS = 30_000;
const MAX_MS = 300_000;
/** Greatest share of the peers that are ejected at a time. */
const MAX_EJECTED = 0.5;
/** Share of healthy peers below which ejections are ignored: the fault is then more likely here than at the peers. */
const PANIC_BELOW = 0.5;

interface PeerState {
  /** Failures since the last success. */
  failures: number;
  /** Number of ejections in a row. */
  level: number;
  /** Time at which the ejection ends; 0 = the peer is not ejected. */
  until: number;
  /** Time at which the last ejection ended. */
  returnedAt: number;
}

/**
 * Which peers get no calls because their links fail, as this instance sees it. Only failures of the link count: a refused
 * or broken connection, or an unanswered ping. Errors of user code and refused calls say nothing about a peer.
 */
export class PeerEjection {
  readonly #peers = new Map<string, PeerState>();

  add(peer: string): void {
    if (!this.#peers.has(peer)) this.#peers.set(peer, { failures: 0, level: 0, until: 0, returnedAt: 0 });
  }

  remove(peer: string): void {
    this.#peers.delete(peer);
  }

  /** A link to the peer failed, or could not be opened. @returns whether the peer is ejected with this failure */
  failed(peer: string, at: number): boolean {
    const state = this.#peers.get(peer);
    if (state === undefined) return false;
    this.#endElapsed(at);
    if (state.until !== 0 || ++state.failures < FAILURES) return false;
    if (this.#ejected() + 1 > MAX_EJECTED * this.#peers.size) return false;
    // Each time in service that is as long as a first ejection makes up for one ejection.
    if (state.level > 0)
      state.level = Math.max(0, state.level - Math.floor((at - state.returnedAt) / BASE_MS));
    state.level++;
    state.until = at + Math.min(MAX_MS, BASE_MS * state.level);
    return true;
  }

  /** A handshake with the peer succeeded: an ejection ends. @returns whether the peer was ejected */
  proved(peer: string, at: number): boolean {
    const state = this.#peers.get(peer);
    if (state === undefined) return false;
    this.#endElapsed(at);
    state.failures = 0;
    if (state.until === 0) return false;
    state.until = 0;
    state.returnedAt = at;
    return true;
  }

  /** Whether the peer gets no calls now. */
  isOut(peer: string, at: number): boolean {
    this.#endElapsed(at);
    const until = this.#peers.get(peer)?.until ?? 0;
    return until !== 0 && !this.#isPanic();
  }

  /** Time at which an ejection of the peer ends by itself; undefined if the peer is not ejected. */
  endsAt(peer: string): number | undefined {
    const until = this.#peers.get(peer)?.until ?? 0;
    return until === 0 ? undefined : until;
  }

  #ejected(): number {
    let count = 0;
    for (const { until } of this.#peers.values()) if (until !== 0) count++;
    return count;
  }

  /** Whether fewer than half of the peers are neither ejected nor failing. */
  #isPanic(): boolean {
    let healthy = 0;
    for (const { until, failures } of this.#peers.values()) if (until === 0 && failures === 0) healthy++;
    return healthy < PANIC_BELOW * this.#peers.size;
  }

  #endElapsed(at: number): void {
    for (const state of this.#peers.values()) {
      if (state.until === 0 || at < state.until) continue;
      state.returnedAt = state.until;
      state.until = 0;
      state.failures = 0;
    }
  }
}
