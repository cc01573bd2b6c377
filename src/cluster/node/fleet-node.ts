import type { ScalingDecision } from '../../controller/autoscale.ts';
import { isNewer, type MemberRecord, type Overrides, type Plan } from '../documents.ts';
import type { DeclaredPlace } from './declaration.ts';
import { hasReplicasToHandOver } from './departure.ts';
import type { FleetEffect, FleetEvent, FleetFrame, StoreAnswer } from './events.ts';
import { instanceOf } from './local-instance.ts';
import type { Member } from './membership.ts';
import { assemble, type FleetNodeOptions, missingDeclarations, type NodeParts } from './node-parts.ts';
import { unreadableAlarm } from './store-alarms.ts';

/** A longer time without any event, in ms, means that the process stood still: ticks come every 250 ms. */
const STALL_MS = 2_000;

/** An instance's view of its fleet. */
export interface FleetSituation {
  readonly generation: number;
  /** Whether the store has told its overrides; until then they are empty. */
  readonly areOverridesKnown: boolean;
  readonly plan: Plan | undefined;
  readonly leader: string | undefined;
  readonly token: number;
  readonly isLeading: boolean;
  readonly isStoreUp: boolean;
  /** Number of refused plans. */
  readonly refusedPlans: number;
  /** Number of instances that the wanted replicas need, while this instance leads. */
  readonly desiredInstances: number | undefined;
  /** The last decision about each autoscaled deployment, while this instance leads. */
  readonly decisions: ReadonlyMap<string, ScalingDecision>;
}

const NO_DECISIONS: ReadonlyMap<string, ScalingDecision> = new Map();

/**
 * One instance's part in the protocol of the fleet, as a state machine without any input or output: events come in with
 * the time of the instance's monotonic clock, effects go out. Each requested store call must be answered by exactly one
 * `stored` or `storeFailed`.
 */
export class FleetNode {
  readonly #parts: NodeParts;
  #effects: FleetEffect[] = [];
  #closing: { readonly until: number } | undefined = undefined;
  #isLeaving = false;
  #handledAt = Infinity;
  /** Until then, what is known of the others may be from before a pause of this process. */
  #stalledUntil = -Infinity;
  #isClosed = false;

  constructor(options: FleetNodeOptions) {
    this.#parts = assemble(options, (effect) => this.#effects.push(effect), {
      read: (answer, now) => this.#onRead(answer, now),
    });
  }

  get situation(): FleetSituation {
    const { known } = this.#parts.control;
    return {
      generation: this.#parts.sync.overrides.document.generation,
      areOverridesKnown: this.#parts.sync.areOverridesKnown,
      plan: this.#parts.follower.plan,
      leader: known === undefined ? undefined : instanceOf(known.owner),
      token: known?.token ?? 0,
      isLeading: this.#parts.control.lease() !== undefined,
      isStoreUp: this.#parts.sync.isUp,
      refusedPlans: this.#parts.follower.refused,
      desiredInstances: this.#parts.control.leader?.desiredInstances,
      decisions: this.#parts.control.leader?.decisions ?? NO_DECISIONS,
    };
  }

  /** The other instances of the fleet. */
  get members(): Iterable<Readonly<Member>> {
    return this.#parts.membership.all();
  }

  /** The record of this instance. */
  get record(): MemberRecord {
    return this.#parts.self.record;
  }

  /** The deployments that this instance declares, by key. */
  get places(): ReadonlyMap<string, DeclaredPlace> {
    return this.#parts.self.places;
  }

  /** The overrides by persons that this instance knows. */
  get overrides(): Overrides {
    return this.#parts.sync.overrides.document;
  }

  /** @param now in ms; never less than that of the event before */
  handle(event: FleetEvent, now: number): readonly FleetEffect[] {
    this.#effects = [];
    if (now - this.#handledAt > STALL_MS) this.#stalledUntil = now + STALL_MS / 2;
    this.#handledAt = now;
    if (!this.#isClosed) {
      this.#on(event, now);
      this.#update(now);
    }
    return this.#effects;
  }

  #on(event: FleetEvent, now: number): void {
    switch (event.type) {
      case 'tick':
        this.#tick(now);
        break;
      case 'stored':
        this.#parts.sync.settle(event.call, event.answer, undefined, now);
        break;
      case 'storeFailed':
        this.#parts.sync.settle(event.call, undefined, event, now);
        break;
      case 'hint':
        this.#parts.sync.hint(event.hint, now);
        break;
      case 'linkUp':
        this.#onLinkUp(event.peer);
        break;
      case 'linkDown':
        this.#parts.membership.linkDown(event.peer, event.cause, now);
        break;
      case 'frame':
        this.#onFrame(event.peer, event.frame, now);
        break;
      case 'declared':
        this.#parts.declarations.add(event.hash, event.declaration);
        this.#parts.self.declare(event.hash, event.declaration);
        this.#parts.sync.rejoin();
        break;
      case 'hostReport':
        this.#parts.self.revertible = event.revertible;
        if (this.#parts.self.report(event.loads, event.hostLagMs, event.isReady, now))
          this.#parts.sync.rejoin();
        break;
      case 'demand':
        this.#parts.demands.add(event.deployment, now);
        break;
      case 'command':
        this.#parts.commands.submit(event.command, event.change, now);
        break;
      case 'advice':
        this.#parts.control.leader?.advise(event.wishes, now);
        break;
      case 'close':
        this.#closing ??= { until: now + event.timeoutMs };
        this.#parts.self.state = 'draining';
        this.#parts.sync.rejoin();
        break;
    }
  }

  #tick(now: number): void {
    this.#judge(now);
    this.#parts.sync.tick(now);
    this.#parts.control.tick(now);
    this.#parts.links.tick(now);
    this.#report(now);
    this.#parts.demands.tick(now);
    this.#parts.commands.tick(now);
    if (this.#closing !== undefined) this.#drain(this.#closing.until, now);
  }

  #judge(now: number): void {
    for (const { id, isAlive } of this.#parts.membership.judge(now)) {
      this.#effects.push({ type: 'member', id, isAlive });
      if (!isAlive) this.#parts.control.drop(id);
    }
    for (const id of this.#parts.membership.forgettable(now)) {
      this.#parts.membership.forget(id);
      this.#parts.sync.call({ op: 'leave', id, isOnlyIfDead: true }, now, () => {});
    }
  }

  #report(now: number): void {
    const { known } = this.#parts.control;
    if (known === undefined || this.#parts.control.lease() !== undefined) return;
    const leader = instanceOf(known.owner);
    const isLinked = this.#parts.links.isLinked(leader);
    if (!isLinked) this.#parts.reporter.restart();
    const report = isLinked
      ? this.#parts.reporter.next(this.#parts.self.loads, known.owner + known.token, now)
      : undefined;
    if (report !== undefined) this.#parts.links.send(leader, report);
  }

  #onLinkUp(peer: string): void {
    this.#parts.membership.linkUp(peer);
    this.#parts.links.greet(peer, this.#parts.control.election.floor);
    const { known } = this.#parts.control;
    if (this.#parts.control.lease() !== undefined && known !== undefined)
      this.#parts.links.send(peer, { kind: 'leader', owner: known.owner, token: known.token });
    const { plan, isAlone } = this.#parts.follower;
    if (plan !== undefined && !isAlone) this.#parts.links.send(peer, { kind: 'plan', plan });
    if (known !== undefined && instanceOf(known.owner) === peer) this.#parts.reporter.restart();
  }

  #onFrame(peer: string, frame: FleetFrame, now: number): void {
    switch (frame.kind) {
      case 'hello':
        this.#parts.membership.setRecord(frame.record, '');
        this.#parts.control.election.raiseFloor(frame.floor);
        this.#parts.sync.read({ declarations: missingDeclarations(this.#parts) }, now);
        break;
      case 'status':
        this.#parts.membership.setStatus(peer, frame);
        break;
      case 'report':
        this.#parts.control.report(peer, frame, now);
        break;
      case 'demand':
        this.#parts.demands.onAsked(frame.deployment, peer, now);
        break;
      case 'leader':
        this.#parts.control.noteLeader(frame, true);
        break;
      case 'plan':
        this.#onPlan(frame.plan, peer, now);
        break;
      case 'refused':
        this.#parts.control.election.raiseFloor(frame.floor);
        this.#parts.alarms.raise(
          'plan refused',
          `instance ${peer} refused plan ${frame.number}: ${frame.reason}`,
          now,
        );
        break;
    }
  }

  /** @param from the peer that sent the plan; undefined: the store */
  #onPlan(plan: Plan, from: string | undefined, now: number): void {
    const { election } = this.#parts.control;
    const current = this.#parts.follower.isAlone ? undefined : this.#parts.follower.plan;
    const isStale = plan.token < election.floor;
    if (!isNewer(plan, current) && (!isStale || from === undefined)) return;
    // A new leader continues from the last plan of its predecessor.
    const isBase = isStale && from === undefined && this.#parts.control.lease() !== undefined;
    const verdict = this.#parts.follower.offer(plan, isBase ? plan.token : election.floor);
    if (verdict.isObeyed) {
      this.#parts.control.noteLeader(plan, true);
      return;
    }
    const { reason } = verdict;
    if (from !== undefined)
      this.#parts.links.send(from, { kind: 'refused', number: plan.number, floor: election.floor, reason });
    this.#parts.alarms.raise('plan refused', `plan ${plan.number} was refused: ${reason}`, now);
  }

  #onRead(answer: Extract<StoreAnswer, { op: 'read' }>, now: number): readonly string[] {
    for (const { record, revision } of answer.members) this.#parts.membership.setRecord(record, revision);
    for (const { hash, declaration } of answer.declarations) this.#parts.declarations.add(hash, declaration);
    if (answer.unreadable.includes('plan')) this.#parts.control.onUnreadablePlan();
    if (answer.plan !== undefined) this.#onPlan(answer.plan, undefined, now);
    for (const name of answer.unreadable)
      this.#parts.alarms.raise(`unreadable ${name}`, unreadableAlarm(answer, name), now);
    return missingDeclarations(this.#parts);
  }

  #drain(until: number, now: number): void {
    if (this.#isLeaving) return;
    if (now < until && hasReplicasToHandOver(this.#parts)) return;
    this.#isLeaving = true;
    this.#parts.control.release(now);
    this.#parts.sync.call({ op: 'leave', id: this.#parts.self.id, isOnlyIfDead: false }, now, () => {
      this.#effects.push({ type: 'closed' });
      this.#isClosed = true;
    });
  }

  #update(now: number): void {
    if (this.#isLeaving) return;
    const changed = this.#parts.follower.update({
      self: this.#parts.self.id,
      places: this.#parts.self.places,
      running: (deployment, target) => this.#parts.self.mayRun(deployment, target, now),
      isDraining: this.#parts.self.state === 'draining',
      elsewhere: (deployment) =>
        now < this.#stalledUntil ? 0 : this.#parts.membership.runningElsewhere(deployment),
    });
    if (changed !== undefined) this.#effects.push({ type: 'apply', ...changed });
    if (this.#parts.follower.kept > 0)
      this.#parts.alarms.raise(
        'last replica kept',
        'the last running replica of a deployment was kept, although the plan removes it',
        now,
      );
  }
}
