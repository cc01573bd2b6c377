import type { Events } from '../../observe/events.ts';
import { LogLimiter } from '../../observe/log-limiter.ts';
import type { Logger } from '../../observe/logger.ts';
import type { PeerSample } from '../../observe/peer-metrics.ts';
import { now, time } from '../../time/clock.ts';
import { FaultCounts } from '../../wire/wire-error.ts';
import type { Ejection } from './health/ejection.ts';
import { PeerHealth } from './health/peer-health.ts';
import type { PeerClientNeeds } from './peer-client.ts';
import { PeerCounts } from './peer-counts.ts';
import { addTotals, NO_TOTALS, type PeerReport, reasonOf } from './peer-report.ts';

const NOTHING: PeerReport = { totals: NO_TOTALS, peers: [] };

/** The host's knowledge of its peers, from the fleet thread's links and its own, for metrics, status, events and the log. */
export class PeerWatch implements PeerClientNeeds {
  readonly health: PeerHealth = new PeerHealth(time, () => this.#tell());
  readonly counts: PeerCounts = new PeerCounts();
  readonly faults: FaultCounts = new FaultCounts();
  readonly #events: Events;
  readonly #log: LogLimiter;
  readonly #ownEjections: () => Iterable<{ readonly instance: string; readonly ejection: Ejection }>;
  #report = NOTHING;
  /** Totals of earlier lives of the fleet thread. */
  #earlier = NO_TOTALS;
  #told: ReadonlyMap<string, string> = new Map();

  /** @param ownEjections returns the peers that the links of the host itself eject */
  constructor(
    { events, log }: { readonly events: Events; readonly log: Logger },
    ownEjections: () => Iterable<{ readonly instance: string; readonly ejection: Ejection }>,
  ) {
    this.#events = events;
    this.#log = new LogLimiter(log);
    this.#ownEjections = ownEjections;
  }

  get sample(): PeerSample {
    const { totals, peers } = this.#report;
    const own = { ...this.counts, ejections: this.health.ejections };
    const rttMs = peers.filter((peer) => peer.rttMs > 0).map((peer) => [peer.instance, peer.rttMs] as const);
    return { ...addTotals(addTotals(this.#earlier, totals), own), rttMs: new Map(rttMs) };
  }

  /** Reasons for which instances get no calls, by instance. */
  get ejected(): ReadonlyMap<string, string> {
    const at = now();
    const reasons = new Map<string, string>();
    for (const { instance, ejection } of this.#ownEjections()) reasons.set(instance, reasonOf(ejection, at));
    for (const { instance, ejection } of this.#report.peers)
      if (ejection !== undefined) reasons.set(instance, reasonOf(ejection, at));
    return reasons;
  }

  close(): void {
    this.#log.close();
  }

  /** The fleet thread reports. */
  reported(report: PeerReport): void {
    this.#report = report;
    this.#tell();
  }

  /** The fleet thread is gone. */
  threadEnded(): void {
    this.#earlier = addTotals(this.#earlier, this.#report.totals);
    this.#report = NOTHING;
    this.#tell();
  }

  #tell(): void {
    const before = this.#told;
    const ejected = this.ejected;
    this.#told = ejected;
    for (const [instance, reason] of ejected) {
      if (before.has(instance)) continue;
      const message = `instance ${instance} gets no calls: ${reason}`;
      this.#log.write('warn', ['ejected', instance], { instance, reason }, message);
      this.#events.emit('peer', { instance, state: 'EJECTED', reason });
    }
    const known = new Set(this.#report.peers.map(({ instance }) => instance));
    // An instance that is gone from the fleet does not come back.
    for (const instance of before.keys())
      if (!ejected.has(instance) && known.has(instance)) {
        const message = `instance ${instance} may get calls again`;
        this.#log.write('info', ['back', instance], { instance }, message);
      }
  }
}
