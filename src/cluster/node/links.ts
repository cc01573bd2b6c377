import { hash, mix } from '../../load/hash.ts';
import type { FleetEffect, FleetFrame } from './events.ts';
import type { LocalInstance } from './local-instance.ts';
import type { Member, Membership } from './membership.ts';
import type { FleetTiming } from './timing.ts';

const MIN_REDIAL_MS = 50;
const MAX_REDIAL_MS = 2_000;
/**
 * Time, in ms, after which the instance with the higher id dials as well if no link exists; until then only the lower
 * id dials.
 */
const SECOND_DIAL_MS = 1_000;

type Status = Extract<FleetFrame, { kind: 'status' }>;

/** Dials the other members and sends them this instance's status. */
export class Links {
  readonly #self: LocalInstance;
  readonly #membership: Membership;
  readonly #timing: FleetTiming;
  readonly #emit: (effect: FleetEffect) => void;
  #status: Status | undefined = undefined;
  #statusAt = -Infinity;

  constructor(
    self: LocalInstance,
    membership: Membership,
    timing: FleetTiming,
    emit: (effect: FleetEffect) => void,
  ) {
    this.#self = self;
    this.#membership = membership;
    this.#timing = timing;
    this.#emit = emit;
  }

  tick(now: number): void {
    for (const member of this.#membership.all()) if (this.#isToDial(member, now)) this.#dial(member, now);
    this.#tellStatus(now);
  }

  isLinked(id: string): boolean {
    return this.#membership.get(id)?.isLinked === true;
  }

  send(peer: string, frame: FleetFrame): void {
    if (this.isLinked(peer)) this.#emit({ type: 'send', peer, frame });
  }

  sendAll(frame: FleetFrame): void {
    for (const { id, isLinked } of this.#membership.all())
      if (isLinked) this.#emit({ type: 'send', peer: id, frame });
  }

  /** Introduces the instance over a new link. */
  greet(peer: string, floor: number): void {
    this.send(peer, { kind: 'hello', record: this.#self.record, floor });
    this.send(peer, this.#currentStatus());
  }

  #isToDial(member: Member, now: number): boolean {
    const { record, isAlive, isLinked, dialledAt, failedDials, unlinkedAt, id } = member;
    if (record === undefined || !isAlive || isLinked) return false;
    if (this.#self.id > id && now - unlinkedAt < SECOND_DIAL_MS) return false;
    const most = Math.min(MAX_REDIAL_MS, MIN_REDIAL_MS * 2 ** Math.min(failedDials, 10));
    const jitter = mix(hash(`${this.#self.id} ${id}`) ^ failedDials) / 2 ** 32;
    return now - dialledAt >= most * (0.5 + jitter / 2);
  }

  #dial(member: Member, now: number): void {
    member.dialledAt = now;
    this.#emit({ type: 'dial', peer: member.id, address: member.record?.address ?? '' });
  }

  #currentStatus(): Status {
    const refused = [...this.#membership.all()].filter(
      ({ refusedSince, isLinked }) => refusedSince !== undefined && !isLinked,
    );
    const { state, hostLagMs, running, revertible } = this.#self;
    return { kind: 'status', state, hostLagMs, running, revertible, refused: refused.map(({ id }) => id) };
  }

  #tellStatus(now: number): void {
    if (now - this.#statusAt < this.#timing.reportMs) return;
    const status = this.#currentStatus();
    const isDue = now - this.#statusAt >= this.#timing.fullReportMs;
    if (!isDue && this.#status !== undefined && isSameStatus(status, this.#status)) return;
    this.#status = status;
    this.#statusAt = now;
    this.sendAll(status);
  }
}

function isSameStatus(a: Status, b: Status): boolean {
  return (
    a.state === b.state &&
    a.hostLagMs === b.hostLagMs &&
    a.refused.length === b.refused.length &&
    JSON.stringify([a.running, a.revertible]) === JSON.stringify([b.running, b.revertible]) &&
    a.refused.every((id, index) => b.refused[index] === id)
  );
}
