import type { MemberRecord, MemberState } from '../documents.ts';
import { type BeatAnswer, SLICE_MEMBERS } from '../fleet-store.ts';
import type { FleetFrame, LinkEnd } from './events.ts';
import type { FleetTiming } from './timing.ts';

type Status = Extract<FleetFrame, { kind: 'status' }>;

/** Another instance of the fleet, as this instance knows it. */
export interface Member {
  readonly id: string;
  record: MemberRecord | undefined;
  /** Revision of the record that was read; empty if the record came over a link. */
  revision: string;
  /** Revision of the record that the store lists. */
  listedRevision: string;
  isListed: boolean;
  /** Last heartbeat, in store time. */
  beatAt: number;
  /**
   * Time since which the member is absent from the store's list, in ms of the own clock; undefined while it is listed.
   */
  absentSince: number | undefined;
  isLinked: boolean;
  /** Time since which the member refuses connections. */
  refusedSince: number | undefined;
  dialledAt: number;
  /** Time since which the live member has no link. */
  unlinkedAt: number;
  /** Number of failed dials in a row. */
  failedDials: number;
  /** Last status that the member sent over the link. */
  status: Status | undefined;
  /** Time since which the member is up, as seen from here. */
  upSince: number | undefined;
  isAlive: boolean;
}

/**
 * Tracks the members of the fleet. The evidence of life is a heartbeat in the store or a link. Time in which the store
 * did not answer does not count against any member.
 */
export class Membership {
  readonly #self: string;
  readonly #timing: FleetTiming;
  readonly #members = new Map<string, Member>();
  readonly #left = new Set<string>();
  /** Store time, which passes only while heartbeats are answered. */
  #storeTime = 0;
  #answeredAt: number | undefined = undefined;
  /** Number that changes with the set of live members, their records and their states. */
  revision = 0;
  /** Time at which a member last came or went. */
  changedAt: number = -Infinity;

  constructor(self: string, timing: FleetTiming) {
    this.#self = self;
    this.#timing = timing;
  }

  all(): IterableIterator<Member> {
    return this.#members.values();
  }

  get(id: string): Member | undefined {
    return this.#members.get(id);
  }

  /** Live members other than this instance. */
  alive(): Member[] {
    return [...this.#members.values()].filter(({ isAlive }) => isAlive);
  }

  /** Takes the answer to a heartbeat. @returns ids of the members whose records must be read */
  observe(answer: BeatAnswer, slice: number, now: number): string[] {
    const since = this.#answeredAt === undefined ? 0 : now - this.#answeredAt;
    this.#storeTime += Math.min(since, 1.5 * this.#timing.beatMs);
    this.#answeredAt = now;
    const unread: string[] = [];
    const seen = new Set<string>();
    for (const { id, revision, ttlMs } of answer.members) {
      if (id === this.#self) continue;
      seen.add(id);
      if (ttlMs < 0) continue;
      const member = this.#ensure(id);
      member.isListed = true;
      member.absentSince = undefined;
      member.listedRevision = revision;
      member.beatAt = Math.max(
        member.beatAt,
        this.#storeTime - Math.max(0, this.#timing.recordTtlMs - ttlMs),
      );
      if (member.revision !== revision) unread.push(id);
    }
    const listed = new Set(answer.members.filter(({ ttlMs }) => ttlMs >= 0).map(({ id }) => id));
    const covers = sliceOf(answer, slice);
    for (const member of this.#members.values()) {
      if (listed.has(member.id) || !covers(member.id)) continue;
      member.isListed = false;
      member.absentSince ??= now;
      if (!seen.has(member.id) && member.record?.state === 'draining') this.#left.add(member.id);
    }
    return unread;
  }

  /** Members that have been dead long enough to be dropped from the store's list. */
  forgettable(now: number): string[] {
    const { forgetMs } = this.#timing;
    const isOld = ({ isAlive, absentSince }: Member): boolean =>
      !isAlive && absentSince !== undefined && now - absentSince >= forgetMs;
    return [...this.#members.values()].filter(isOld).map(({ id }) => id);
  }

  forget(id: string): void {
    this.#members.delete(id);
  }

  setRecord(record: MemberRecord, revision: string): void {
    if (record.id === this.#self) return;
    const member = this.#ensure(record.id);
    if (member.record !== undefined && member.record.epoch > record.epoch) return;
    this.#left.delete(record.id);
    // A restarted instance has to prove itself again.
    if (member.record !== undefined && record.epoch > member.record.epoch) member.upSince = undefined;
    member.record = record;
    if (revision !== '') member.revision = revision;
    this.revision++;
  }

  linkUp(id: string): void {
    const member = this.#ensure(id);
    member.isLinked = true;
    member.refusedSince = undefined;
    member.failedDials = 0;
    this.#left.delete(id);
  }

  linkDown(id: string, cause: LinkEnd, now: number): void {
    const member = this.#members.get(id);
    if (member === undefined) return;
    if (member.isLinked) member.unlinkedAt = now;
    member.isLinked = false;
    member.status = undefined;
    member.failedDials++;
    if (cause === 'refused') member.refusedSince ??= now;
    else member.refusedSince = undefined;
  }

  setStatus(id: string, status: Status): void {
    const member = this.#ensure(id);
    if (member.record !== undefined && member.record.state !== status.state) {
      member.record = { ...member.record, state: status.state };
      this.revision++;
    }
    member.status = status;
  }

  /** Number of replicas of a deployment that run on linked instances. */
  runningElsewhere(deployment: string): number {
    let running = 0;
    for (const { isLinked, status } of this.#members.values())
      if (isLinked) running += status?.running[deployment] ?? 0;
    return running;
  }

  /** Judges which members are alive. @returns members whose state of life changed */
  judge(now: number): Member[] {
    const changed: Member[] = [];
    for (const member of this.#members.values()) {
      const isAlive = member.record !== undefined && this.#isAlive(member, now);
      const state = this.stateOf(member);
      if (isAlive && state === 'up') member.upSince ??= now;
      else member.upSince = undefined;
      if (isAlive === member.isAlive) continue;
      member.isAlive = isAlive;
      if (isAlive && !member.isLinked) member.unlinkedAt = now;
      changed.push(member);
    }
    if (changed.length > 0) {
      this.revision++;
      this.changedAt = now;
    }
    return changed;
  }

  stateOf({ record }: Member): MemberState {
    return record?.state ?? 'joining';
  }

  #isAlive(member: Member, now: number): boolean {
    if (member.isLinked) return true;
    if (this.#left.has(member.id)) return false;
    if (this.#isRefusedByAll(member, now)) return false;
    return (
      member.isListed || (member.beatAt > -Infinity && this.#storeTime - member.beatAt < this.#timing.deadMs)
    );
  }

  /**
   * Whether all other members report a refusal. One accuser is not enough: the network between two instances may be at
   * fault.
   */
  #isRefusedByAll(member: Member, now: number): boolean {
    const { refusedSince } = member;
    if (refusedSince === undefined || now - refusedSince < this.#timing.refusedDeadMs) return false;
    for (const other of this.#members.values()) {
      if (other === member || !other.isAlive || (other.refusedSince !== undefined && !other.isLinked))
        continue;
      if (!other.isLinked || other.status?.refused.includes(member.id) !== true) return false;
    }
    return true;
  }

  #ensure(id: string): Member {
    let member = this.#members.get(id);
    if (member === undefined) {
      member = {
        id,
        record: undefined,
        revision: '',
        listedRevision: '',
        isListed: false,
        beatAt: -Infinity,
        absentSince: undefined,
        isLinked: false,
        refusedSince: undefined,
        dialledAt: -Infinity,
        unlinkedAt: -Infinity,
        failedDials: 0,
        status: undefined,
        upSince: undefined,
        isAlive: false,
      };
      this.#members.set(id, member);
    }
    return member;
  }
}

/**
 * Returns whether a list covers an id: a list covers all ids of a small fleet, and the ids between its ends of a
 * crowded fleet.
 */
function sliceOf({ members, memberCount }: BeatAnswer, slice: number): (id: string) => boolean {
  if (memberCount <= SLICE_MEMBERS) return () => true;
  const slices = Math.ceil(memberCount / SLICE_MEMBERS);
  const position = slice % slices;
  const from = position === 0 ? '' : (members[0]?.id ?? '');
  const to = members.at(-1)?.id ?? '';
  return (id) => id >= from && (position === slices - 1 || id <= to);
}
