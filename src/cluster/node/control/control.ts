import { DOCUMENT_FORMAT, isNewer, type MemberRecord, type Plan } from '../../documents.ts';
import type { BeatAnswer, Lease } from '../../fleet-store.ts';
import type { Alarms } from '../alarms.ts';
import type { Declarations } from '../declaration.ts';
import type { FleetEffect, FleetFrame } from '../events.ts';
import { ALONE_NUMBER, type Follower } from '../follower.ts';
import type { Links } from '../links.ts';
import type { LocalInstance } from '../local-instance.ts';
import type { Membership } from '../membership.ts';
import type { ChangeContext } from '../overrides.ts';
import { isWorthReading, type StoreSync } from '../store-sync.ts';
import type { FleetTiming } from '../timing.ts';
import { Election, type ElectionChange } from './election.ts';
import { Leader, type LeaderMember } from './leader.ts';
import { LiveVersions } from './live-versions.ts';
import { type Merged, merge } from './merge.ts';
import { planOf } from './plan-content.ts';
import { Publisher } from './publisher.ts';

/** The parts of a node that its control uses. */
export interface ControlParts {
  readonly self: LocalInstance;
  readonly membership: Membership;
  readonly declarations: Declarations;
  readonly sync: StoreSync;
  readonly follower: Follower;
  readonly links: Links;
  readonly alarms: Alarms;
  readonly timing: FleetTiming;
  readonly emit: (effect: FleetEffect) => void;
}

/** Follows the election and, while this instance leads, decides every `reportMs` and publishes changes. */
export class Control {
  readonly #parts: ControlParts;
  readonly #publisher: Publisher;
  readonly #versions: LiveVersions;
  readonly election: Election;
  #now = 0;
  #startedAt: number | undefined = undefined;
  #hasBeaten = false;
  #leader: Leader | undefined = undefined;
  /** Plans for this instance alone while no fleet is reachable. */
  #alone: Leader | undefined = undefined;
  #decidedAt = -Infinity;
  #known: Lease | undefined = undefined;
  #merged: Merged | undefined = undefined;
  #mergedFrom = '';
  /** The stored plan that could not be read. */
  #unreadable: Pick<Plan, 'number' | 'token'> | undefined = undefined;

  constructor(parts: ControlParts) {
    this.#parts = parts;
    this.election = new Election(parts.timing);
    this.#versions = new LiveVersions(parts.timing);
    this.#publisher = new Publisher(parts.sync, {
      lease: () => this.lease(),
      obey: (plan) => this.#obeyOwn(plan),
      sendAll: (frame) => parts.links.sendAll(frame),
      refused: () => {
        this.#leader?.withdraw();
        parts.sync.read({ plan: true }, this.#now);
      },
    });
  }

  /** The own lease, while this instance may act as its holder. */
  lease(): Lease | undefined {
    return this.election.isLeading(this.#now) ? this.election.held : undefined;
  }

  /** The lease to renew; undefined while the host is blocked. */
  renewing(): Lease | undefined {
    const { self, timing } = this.#parts;
    return this.#now - self.reportedAt < timing.hostTickMs ? this.election.held : undefined;
  }

  /** Owner and token of the leader, to this instance's knowledge. */
  get known(): Lease | undefined {
    return this.#known;
  }

  /** Facts about the members of the fleet that an order depends on. */
  get orderContext(): Omit<ChangeContext, 'by' | 'at'> {
    const { seen, newestAt } = this.#versions;
    const format = formatFor(this.#members());
    const ownVersionAt = seen.get(this.#parts.self.record.codeVersion) ?? newestAt;
    return { newestVersionAt: newestAt, ownVersionAt, liveVersionsAt: [...seen.values()], format };
  }

  /** The controller of this instance, while it leads or acts alone. */
  get leader(): Leader | undefined {
    return this.lease() === undefined ? this.#alone : this.#leader;
  }

  tick(now: number): void {
    this.#now = now;
    this.#startedAt ??= now;
    const { self, membership, sync, timing } = this.#parts;
    const versioned = membership
      .alive()
      .map(({ record, upSince }) => ({ codeVersion: record?.codeVersion ?? '', upSince }));
    versioned.push({
      codeVersion: self.record.codeVersion,
      upSince: self.state === 'up' ? self.upSince : undefined,
    });
    this.#versions.update(versioned, sync.versions, now);
    this.#handOver(now);
    this.#stand(now);
    if (now - this.#decidedAt < timing.reportMs) return;
    this.#decidedAt = now;
    if (this.lease() !== undefined) this.#lead(now);
    else this.#actAlone(now);
    const { leader } = this;
    if (leader === undefined || leader.consultations.length === 0) return;
    this.#parts.emit({ type: 'consult', consultations: leader.consultations });
    leader.consultations = [];
  }

  onBeat(answer: BeatAnswer, renewed: Lease | undefined, sentAt: number, now: number): void {
    this.#now = now;
    this.#hasBeaten = true;
    const { self, follower } = this.#parts;
    this.#follow(this.election.onBeat(answer, self.owner, renewed, sentAt), now);
    const { lease } = answer;
    if (lease !== undefined && lease.token >= this.election.floor && lease.owner !== self.owner)
      this.noteLeader(lease, false);
    const { plan } = follower;
    if (this.lease() === undefined || plan === undefined || follower.isAlone || this.#isReading()) return;
    const isStored = answer.planNumber === plan.number && answer.planToken === plan.token;
    if (!isStored) this.#publisher.republish(plan, formatFor(this.#members()), now);
  }

  /** The stored plan was read and was not written with the secret. */
  onUnreadablePlan(): void {
    this.#unreadable = this.#parts.sync.stored;
  }

  /** @param isCertain whether the lease comes from a sealed document or a link, so that it raises the floor */
  noteLeader(lease: Lease, isCertain: boolean): void {
    if (lease.token < this.election.floor) return;
    if (isCertain) this.election.raiseFloor(lease.token);
    if (this.#known?.token === lease.token && this.#known.owner === lease.owner) return;
    if (!isCertain && this.#known !== undefined && this.#known.token > lease.token) return;
    this.#known = lease;
    this.#parts.emit({ type: 'leader', owner: lease.owner, token: lease.token });
  }

  report(id: string, frame: Extract<FleetFrame, { kind: 'report' }>, now: number): void {
    this.#leader?.reports.take(id, frame, now);
  }

  /** @returns whether this instance leads */
  demand(deployment: string, id: string, now: number): boolean {
    this.leader?.demand(deployment, id, now);
    return this.lease() !== undefined;
  }

  drop(id: string): void {
    this.#leader?.reports.drop(id);
  }

  /** Releases the lease. */
  release(now: number): void {
    const { sync, self } = this.#parts;
    if (this.election.held === undefined) return;
    sync.call({ op: 'release', owner: self.owner }, now, () => {});
    this.election.release();
    this.#leader = undefined;
  }

  #handOver(now: number): void {
    if (this.lease() !== undefined && this.#versions.isSucceeded(this.#parts.self.record.codeVersion))
      this.release(now);
  }

  #stand(now: number): void {
    const { self, membership, sync, timing } = this.#parts;
    if (!this.#hasBeaten || !sync.isUp || now - self.reportedAt >= timing.hostTickMs) return;
    const isFirst = (record: MemberRecord | undefined): boolean =>
      record !== undefined && record.state !== 'draining' && this.#versions.isStanding(record.codeVersion);
    const others = membership.alive().filter(({ record }) => isFirst(record));
    const isSecond = !isFirst(self.record);
    if (
      !this.election.isToClaim(
        self.id,
        others.map(({ id }) => id),
        isSecond,
        now,
      )
    )
      return;
    this.election.onClaimed();
    const { owner } = self;
    sync.call({ op: 'lease', owner, floor: this.election.floor }, now, (answer) => {
      if (answer?.op === 'lease') this.#follow(this.election.onLease(answer.lease, owner, now), this.#now);
      else this.election.onClaimFailed(this.#now);
    });
  }

  #follow(change: ElectionChange, now: number): void {
    if (change === undefined) return;
    const { timing, links } = this.#parts;
    const { held } = this.election;
    if (change === 'demoted' || held === undefined) this.#leader = undefined;
    else {
      this.#leader = new Leader(timing, now, false);
      this.noteLeader(held, true);
      links.sendAll({ kind: 'leader', owner: held.owner, token: held.token });
    }
  }

  #lead(now: number): void {
    const { self, follower, sync, membership } = this.#parts;
    const leader = this.#leader;
    if (leader === undefined || this.#publisher.isWriting || this.#isReading()) return;
    const plan = follower.isAlone ? undefined : follower.plan;
    leader.reports.take(self.id, { kind: 'report', isFull: true, loads: self.loads }, now);
    const members = this.#members();
    const view = { members, merged: this.#merge(members), overrides: sync.overrides.document, plan };
    const content = leader.decide({ ...view, changedAt: membership.changedAt }, now);
    const format = formatFor(members);
    if (content !== undefined) this.#publisher.publish(content, plan, format, now);
    else if (plan !== undefined && (plan.token !== this.election.held?.token || plan.format > format))
      this.#publisher.republish(plan, format, now);
  }

  /** Acts as a fleet of one, with neither a store nor a peer in reach. */
  #actAlone(now: number): void {
    const { self, follower, sync, membership, timing } = this.#parts;
    if (follower.plan !== undefined && !follower.isAlone) {
      this.#alone = undefined;
      return;
    }
    const isCutOff = sync.answeredAt === undefined && !membership.alive().some(({ isLinked }) => isLinked);
    const waited = now - (this.#startedAt ?? now);
    if (this.#alone === undefined && isCutOff && waited >= timing.aloneMs)
      this.#alone = new Leader(timing, now, true);
    if (this.#alone === undefined) return;
    this.#alone.reports.take(self.id, { kind: 'report', isFull: true, loads: self.loads }, now);
    const members = [{ record: self.record, state: self.state }];
    const view = {
      members,
      merged: this.#merge(members),
      overrides: sync.overrides.document,
      plan: follower.plan,
    };
    const content = this.#alone.decide({ ...view, changedAt: -Infinity }, now);
    if (content !== undefined) follower.actAlone(planOf(content, ALONE_NUMBER, 0, self.owner));
  }

  #obeyOwn(plan: Plan): boolean {
    const current = this.#parts.follower.plan;
    // The store's hint may have been faster than its answer.
    if (current?.token === plan.token && current.number === plan.number) return true;
    const verdict = this.#parts.follower.offer(plan, this.election.floor);
    if (!verdict.isObeyed)
      this.#parts.alarms.raise(
        'plan refused',
        `this instance refused its own plan: ${verdict.reason}`,
        this.#now,
      );
    return verdict.isObeyed;
  }

  /** Whether the stored plan must be read first, since it is the base of the next plan. */
  #isReading(): boolean {
    const { sync, follower } = this.#parts;
    const { stored } = sync;
    if (this.#unreadable?.number === stored.number && this.#unreadable.token === stored.token) return false;
    const plan = follower.isAlone ? undefined : follower.plan;
    return stored.number > 0 && isNewer(stored, plan);
  }

  #members(): LeaderMember[] {
    const { self, membership } = this.#parts;
    const others = membership
      .alive()
      .flatMap(({ record }) => (record === undefined ? [] : [{ record, state: record.state }]));
    return [{ record: self.record, state: self.state }, ...others];
  }

  #merge(members: readonly LeaderMember[]): Merged {
    const { sync, declarations, alarms, self, membership } = this.#parts;
    const { document, tag } = sync.overrides;
    const ids = members.length;
    const from = [
      ids,
      membership.revision,
      this.#versions.revision,
      sync.versionsRevision,
      document.generation,
      tag,
      self.version,
      self.state,
      declarations.revision,
    ];
    if (this.#merged === undefined || this.#mergedFrom !== from.join()) {
      this.#mergedFrom = from.join();
      this.#merged = merge({
        members: members.map(({ record, state }) => ({ ...record, state })),
        places: (found) => declarations.places(found),
        versions: sync.versions,
        firstSeen: this.#versions.seen,
        overrides: document,
      });
    }
    for (const [cause, message] of this.#merged.faults) alarms.raise(cause, message, this.#now);
    return this.#merged;
  }
}

/** The format that every member reads. */
function formatFor(members: readonly LeaderMember[]): number {
  return Math.min(DOCUMENT_FORMAT, ...members.map(({ record }) => record.format));
}

/** Whether a heartbeat shows a plan that the instance should read. */
export function isPlanUnknown(answer: BeatAnswer, follower: Follower): boolean {
  return isWorthReading(answer, follower.isAlone ? undefined : follower.plan);
}
