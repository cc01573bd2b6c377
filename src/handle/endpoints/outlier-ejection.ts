import type { EjectionEvidence } from '../../load/ejection-record.ts';
import type { ReplicaTally } from '../../load/replica-tally.ts';
import { type ActiveTime, activeTime } from '../../time/active-time.ts';
import { RecentOutcomes } from './recent-outcomes.ts';

/** Minimum number of failures for an ejection: fewer are not significant. */
const LEAST_FAILURES = 5;
/** An outlier's failure rate exceeds this multiple of its siblings' rate by a margin, which is the next constant. */
const TIMES = 3;
const POINTS = 0.2;
/** Duration of the first ejection, in ms; each further ejection in a row lasts twice as long. */
const FIRST_MS = 1_000;
/** Upper bound of an ejection, in ms. A replica that is ejected again within this time continues at its last level. */
const LONGEST_MS = 30_000;
const LAST_LEVEL = 6;
/** Greatest share of the replicas that may be ejected. */
const MOST_OUT = 1 / 2;

/** Cost of a failure beyond the usual rate, in calls. */
const FAILURE_COST = 10;
/** Failures are usual up to the siblings' failure rate times this factor, plus the next constant. */
const USUAL_TIMES = 1.5;
const USUAL_POINTS = 0.05;

/**
 * After a pause of the process, outcomes count for no replica for as long as the pause lasted, within these bounds in ms:
 * a call that lost more than half of its time to the pause fails without a fault of its replica.
 */
const SHORTEST_EXCUSE_MS = 1_000;
const LONGEST_EXCUSE_MS = 10_000;

/** Duration of an ejection, in ms. @param level number of ejections in a row */
export function ejectionMs(level: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (level - 1));
}

/** A replica whose calls are counted. */
export interface Counted {
  readonly tally: ReplicaTally;
  /** Version of the replica's code. */
  readonly version?: string;
}

/**
 * Ejects replicas that fail much more often than their siblings (outlier ejection): a replica that throws at once is
 * always free, and would get most of the calls. After a while one call probes the replica and decides whether it
 * returns.
 *
 * Failures that all replicas have alike change nothing: a replica is compared with the median of the others of its
 * version. Whether a new version is worse than the old one is decided by its rollout, which needs calls for that. After a
 * pause of the process nothing counts for a while, because one replica may have had most of the calls whose deadlines
 * passed in it. The counts and the ejections are shared by all caller threads; each thread looks regularly, and the
 * first to look acts.
 */
export class OutlierEjection<M extends Counted> {
  readonly #standings = new Map<M, Standing<M>>();
  /** The members in service, sorted by failure rate. */
  #ranking: Standing<M>[] = [];
  #isQuiet = true;
  #due: Standing<M> | undefined = undefined;
  readonly #active: Pick<ActiveTime, 'pausedMs'>;
  #pausedMs: number;
  /** Time until which outcomes count for no replica. */
  #excusedUntil = Number.NEGATIVE_INFINITY;

  constructor(active: Pick<ActiveTime, 'pausedMs'> = activeTime) {
    this.#active = active;
    this.#pausedMs = active.pausedMs;
  }

  add(member: M): void {
    this.#standings.set(member, new Standing(member));
  }

  remove(member: M): void {
    this.#standings.delete(member);
    if (this.#due?.member === member) this.#due = undefined;
  }

  /** Whether the replica was ejected at the last look. */
  isOut(member: M): boolean {
    return this.#standings.get(member)?.isOut ?? false;
  }

  /** Cost factor of a replica for its failures; 1 = the replica fails no more often than the others. */
  costFactor(member: M): number {
    return this.#standings.get(member)?.costFactor ?? 1;
  }

  /** The replica that the next call is to probe; the caller reports it by `probeSent`. */
  get probe(): M | undefined {
    return this.#due?.member;
  }

  /** A call was sent to probe the replica. */
  probeSent(): void {
    this.#due?.probeSent();
    this.#due = undefined;
  }

  /** Looks at the counts and acts on them. @returns whether the set of ejected replicas changed */
  look(at: number): boolean {
    let isQuiet = true;
    let isChanged = false;
    const isExcused = this.#isExcused(at);
    for (const standing of this.#standings.values()) {
      isChanged = standing.sample(at, isExcused) || isChanged;
      isQuiet &&= !standing.isOut && standing.failures === 0;
    }
    const wasQuiet = this.#isQuiet;
    this.#isQuiet = isQuiet;
    if (isQuiet && wasQuiet) return isChanged;
    this.#rank();
    isChanged = this.#judge(at) || isChanged;
    this.#weigh();
    this.#due = this.#claimProbe(at);
    return isChanged;
  }

  /** Whether what ended since the last look may have failed because the process was paused. */
  #isExcused(at: number): boolean {
    const { pausedMs } = this.#active;
    const newMs = pausedMs - this.#pausedMs;
    this.#pausedMs = pausedMs;
    if (newMs > 0) this.#excusedUntil = at + Math.min(LONGEST_EXCUSE_MS, Math.max(SHORTEST_EXCUSE_MS, newMs));
    return at < this.#excusedUntil;
  }

  #judge(at: number): boolean {
    let isChanged = false;
    const limit = Math.floor(this.#standings.size * MOST_OUT);
    const out = this.#leftOut().sort((a, b) => a.level - b.level);
    for (const [index, standing] of out.entries()) {
      const isTooMany = out.length - index > limit;
      if (!isTooMany && !standing.readProbe(at, this.#siblingOf(standing))) continue;
      standing.readmit(at);
      isChanged = true;
    }
    for (let left = limit - this.#leftOut().length; left > 0; left--) {
      this.#rank();
      const worst = this.#worstOutlier();
      if (worst === undefined) break;
      worst.leaveOut(at, evidenceOf(worst, this.#ranking));
      isChanged = true;
    }
    this.#rank();
    return isChanged;
  }

  #worstOutlier(): Standing<M> | undefined {
    const outliers = this.#ranking.filter((standing) => standing.isOutlier(this.#siblingOf(standing)));
    return outliers.sort((a, b) => b.rate - a.rate)[0];
  }

  /** Computes the cost factor of each replica from its failures. */
  #weigh(): void {
    for (const standing of this.#standings.values()) {
      const usual = (this.#siblingOf(standing)?.likelyRate ?? 1) * USUAL_TIMES + USUAL_POINTS;
      standing.costFactor = 1 + (FAILURE_COST - 1) * Math.max(0, standing.rate - usual);
    }
  }

  #claimProbe(at: number): Standing<M> | undefined {
    return this.#leftOut().find((standing) => standing.claimProbe(at));
  }

  #leftOut(): Standing<M>[] {
    return [...this.#standings.values()].filter(({ isOut }) => isOut);
  }

  #rank(): void {
    const inService = [...this.#standings.values()].filter(({ isOut }) => !isOut);
    this.#ranking = inService.sort((a, b) => a.likelyRate - b.likelyRate);
  }

  /** The lower median of the other replicas of its version in service, by failure rate. */
  #siblingOf(one: Standing<M>): Standing<M> | undefined {
    const siblings = this.#ranking.filter(
      (other) => other !== one && other.member.version === one.member.version,
    );
    return siblings[(siblings.length - 1) >> 1];
  }
}

/** The counts and the ejection state of one replica. */
class Standing<M extends Counted> {
  readonly member: M;
  costFactor = 1;
  isOut = false;
  readonly #recent = new RecentOutcomes();
  #calls: number;
  #failures: number;
  /** The probe of this thread, granted or running. */
  #probe:
    | { readonly until: number; sent: { readonly calls: number; readonly failures: number } | undefined }
    | undefined = undefined;

  constructor(member: M) {
    this.member = member;
    this.#calls = member.tally.calls;
    this.#failures = member.tally.failures;
  }

  get level(): number {
    return this.member.tally.ejection.level;
  }

  get calls(): number {
    return this.#recent.calls;
  }

  get failures(): number {
    return this.#recent.failures;
  }

  /** Share of the calls that failed. */
  get rate(): number {
    return this.calls === 0 ? 0 : this.failures / this.calls;
  }

  /** The failure rate by the estimator of Krichevsky and Trofimov, for replicas with few calls. */
  get likelyRate(): number {
    return (this.failures + 0.5) / (this.calls + 1);
  }

  /**
   * Reads the new counts.
   *
   * @param isExcused whether the new counts do not matter
   * @returns whether another thread ejected the replica or put it back
   */
  sample(at: number, isExcused: boolean): boolean {
    const { calls, failures, ejection } = this.member.tally;
    if (!isExcused) this.#recent.add(calls - this.#calls, failures - this.#failures, at);
    this.#calls = calls;
    this.#failures = failures;
    const isOut = ejection.level !== 0;
    if (isOut === this.isOut) return false;
    this.#turn(isOut);
    return true;
  }

  isOutlier(sibling: Standing<M> | undefined): boolean {
    if (sibling === undefined || this.failures < LEAST_FAILURES) return false;
    return this.rate >= TIMES * sibling.likelyRate + POINTS;
  }

  leaveOut(at: number, evidence: EjectionEvidence): void {
    const { ejection } = this.member.tally;
    const isRelapse = ejection.lastLevel > 0 && ((at - ejection.returnedAt) | 0) < LONGEST_MS;
    const level = isRelapse ? Math.min(LAST_LEVEL, ejection.lastLevel + 1) : 1;
    ejection.leaveOut(level, at + ejectionMs(level), evidence);
    this.#turn(true);
  }

  readmit(at: number): void {
    this.member.tally.ejection.readmit(at);
    this.#turn(false);
  }

  /** Claims the probe of the replica; true also while an earlier claim has had no call yet. */
  claimProbe(at: number): boolean {
    const { ejection } = this.member.tally;
    const { until, level } = ejection;
    if (((at - until) | 0) < 0) return this.#probe?.until === until && this.#probe.sent === undefined;
    const next = (at + ejectionMs(level)) | 0;
    if (!ejection.claimProbe(until, next)) return false;
    this.#probe = { until: next, sent: undefined };
    return true;
  }

  probeSent(): void {
    const { calls, failures } = this.member.tally;
    if (this.#probe !== undefined) this.#probe.sent = { calls, failures };
  }

  /** Reads the result of the probe. @returns whether the replica is back in service */
  readProbe(at: number, sibling: Standing<M> | undefined): boolean {
    // The siblings fail as often by now, so the replica is not to blame.
    const isCommon =
      sibling !== undefined && sibling.failures >= LEAST_FAILURES && TIMES * sibling.rate + POINTS > 1;
    if (isCommon) return true;
    const { tally } = this.member;
    const sent = this.#probe?.until === tally.ejection.until ? this.#probe.sent : undefined;
    if (sent === undefined || tally.calls === sent.calls) return false;
    this.#probe = undefined;
    if (tally.failures === sent.failures) return true;
    const level = Math.min(LAST_LEVEL, this.level + 1);
    tally.ejection.prolong(level, at + ejectionMs(level));
    return false;
  }

  #turn(isOut: boolean): void {
    this.isOut = isOut;
    this.#probe = undefined;
    // The counts start afresh: the failures before the ejection no longer matter.
    if (!isOut) this.#recent.forget();
  }
}

function evidenceOf<M extends Counted>(
  one: Standing<M>,
  inService: readonly Standing<M>[],
): EjectionEvidence {
  const siblings = inService.filter((standing) => standing !== one);
  const sum = (count: (standing: Standing<M>) => number): number =>
    Math.round(siblings.reduce((total, standing) => total + count(standing), 0));
  return {
    calls: Math.round(one.calls),
    failures: Math.round(one.failures),
    siblingCalls: sum(({ calls }) => calls),
    siblingFailures: sum(({ failures }) => failures),
  };
}
