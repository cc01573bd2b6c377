import type { EjectionEvidence } from '../../load/ejection-record.ts';
import type { ReplicaTally } from '../../load/replica-tally.ts';
import { RecentOutcomes } from './recent-outcomes.ts';

/** Fewer failures say nothing. */
const LEAST_FAILURES = 5;
/** An outlier fails this many times as often as its siblings, and this much more often than that. */
const TIMES = 3;
const POINTS = 0.2;
/** An outlier is left out for this many ms, and for twice as long each time that it fails again, … */
const FIRST_MS = 1_000;
/** … up to this. A replica that is back for less than this goes on where it stopped. */
const LONGEST_MS = 30_000;
const LAST_LEVEL = 6;
/** Never more than this share of the replicas is left out. */
const MOST_OUT = 1 / 2;

/** A failure costs as much as this many calls … */
const FAILURE_COST = 10;
/** … if it is beyond what is usual among the siblings: their failure rate times the first, plus the second. */
const USUAL_TIMES = 1.5;
const USUAL_POINTS = 0.05;

/** How long a replica is left out, in ms. @param level how often in a row */
export function ejectionMs(level: number): number {
  return Math.min(LONGEST_MS, FIRST_MS * 2 ** (level - 1));
}

/** A replica whose calls are counted. */
export interface Counted {
  readonly tally: ReplicaTally;
  /** Of its code. */
  readonly version?: string;
}

/**
 * Leaves replicas out that fail much more often than their siblings (outlier ejection): one that throws at once is always
 * free, and would get most of the calls. After a while one call tries the replica, and decides whether it is back.
 *
 * Failures that all replicas have alike change nothing: a replica is compared with the median of the others of its version.
 * Whether a new version is worse than the old one is for its rollout to say, which needs calls for that. The counts,
 * and who is left out, are shared by all caller threads; each of them looks every so often, and whoever looks first acts.
 */
export class OutlierEjection<M extends Counted> {
  readonly #standings = new Map<M, Standing<M>>();
  /** Those in service, by failure rate. */
  #ranking: Standing<M>[] = [];
  #isQuiet = true;
  #due: Standing<M> | undefined = undefined;

  add(member: M): void {
    this.#standings.set(member, new Standing(member));
  }

  remove(member: M): void {
    this.#standings.delete(member);
    if (this.#due?.member === member) this.#due = undefined;
  }

  /** Whether the replica is left out, as of the last look. */
  isOut(member: M): boolean {
    return this.#standings.get(member)?.isOut ?? false;
  }

  /** How much more a call to the replica costs for its failures: a factor, 1 = it fails no more often than the others. */
  costFactor(member: M): number {
    return this.#standings.get(member)?.costFactor ?? 1;
  }

  /** A replica that the next call is to try; the caller says `probeSent` then. */
  get probe(): M | undefined {
    return this.#due?.member;
  }

  /** A call was sent to try the replica. */
  probeSent(): void {
    this.#due?.probeSent();
    this.#due = undefined;
  }

  /** Looks at the counts and acts on them. @returns whether other replicas are left out than before */
  look(at: number): boolean {
    let isQuiet = true;
    let isChanged = false;
    for (const standing of this.#standings.values()) {
      isChanged = standing.sample(at) || isChanged;
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

  /** What the failures of each replica add to its cost. */
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

/** What is known of one replica. */
class Standing<M extends Counted> {
  readonly member: M;
  costFactor = 1;
  isOut = false;
  readonly #recent = new RecentOutcomes();
  #calls: number;
  #failures: number;
  /** This thread may try the replica, or does. */
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

  /** The same by the estimator of Krichevsky and Trofimov: little is known of a replica with few calls. */
  get likelyRate(): number {
    return (this.failures + 0.5) / (this.calls + 1);
  }

  /** Takes in what was counted since the last time. @returns whether another thread left the replica out, or let it back */
  sample(at: number): boolean {
    const { calls, failures, ejection } = this.member.tally;
    this.#recent.add(calls - this.#calls, failures - this.#failures, at);
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

  /** Takes the right to try the replica, or still has it and no call came since. */
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

  /** What the call that tried the replica has shown. @returns whether the replica is back */
  readProbe(at: number, sibling: Standing<M> | undefined): boolean {
    // The others fail as often by now: it is not the replica.
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
    // It starts afresh: what it was left out for is paid.
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
