import { isNewer, NO_OVERRIDES, type Overrides, type Plan } from '../documents.ts';
import type { BeatAnswer, Hint, Lease, StoreFailure } from '../fleet-store.ts';
import { SLICE_MEMBERS } from '../fleet-store.ts';
import type { StoreAnswer, StoreRequest, Tagged } from './events.ts';
import type { FleetTiming } from './timing.ts';

type AnswerOf<O extends StoreAnswer['op']> = Extract<StoreAnswer, { op: O }>;
type ReadAnswer = AnswerOf<'read'>;
/** The documents to read. */
type Wanted = Omit<Extract<StoreRequest, { op: 'read' }>, 'op'>;

/** A failure as the store reports it. */
export interface FailedCall {
  readonly failure: StoreFailure;
  /** The error as the store words it. */
  readonly detail?: string;
}

interface Pending {
  readonly sentAt: number;
  settle(answer: StoreAnswer | undefined, failed: FailedCall | undefined): void;
}

/** The node's handlers for the store's answers. */
export interface StoreListener {
  /** Returns the request to join: the record and its accompanying data. */
  joining(): Extract<StoreRequest, { op: 'join' }>;
  /** The lease to renew with the next heartbeat. */
  renewing(): Lease | undefined;
  /** @returns the documents that must be read */
  beaten(
    answer: BeatAnswer,
    renewed: Lease | undefined,
    slice: number,
    sentAt: number,
    now: number,
  ): Pick<Wanted, 'members' | 'declarations' | 'versions'>;
  /** Whether the store has a plan that the instance should read. */
  isPlanUnknown(answer: BeatAnswer): boolean;
  /** @returns hashes of declarations that must be read */
  read(answer: ReadAnswer, now: number): readonly string[];
  failed(failed: FailedCall, op: StoreRequest['op'], now: number): void;
}

/**
 * Synchronizes an instance with the store: sends heartbeats, writes the own record, reads changes, and rewrites
 * documents that the store has lost.
 */
export class StoreSync {
  readonly #timing: FleetTiming;
  readonly #listener: StoreListener;
  readonly #send: (call: number, request: StoreRequest) => void;
  readonly #pending = new Map<number, Pending>();
  #calls = 0;
  #beatAt = -Infinity;
  #isBeating = false;
  #isJoining = false;
  #isJoined = false;
  #isReading = false;
  #slice = 0;
  #answeredAt: number | undefined = undefined;
  #failure: StoreFailure | undefined = undefined;
  /**
   * Time at which each declaration of a version was first seen, by `versionKey`; entries that the store has lost are
   * kept.
   */
  versions: Readonly<Record<string, number>> = {};
  /** Number that changes with the versions. */
  versionsRevision = 0;
  overrides: Tagged<Overrides> = { document: NO_OVERRIDES, tag: '' };
  /** Whether the overrides are those of the store, also if it has none: not before its first word about them. */
  areOverridesKnown = false;
  /** Generation of the overrides that the store holds. */
  storedGeneration = 0;
  /** The plan that the store holds, by its numbers. */
  stored: Pick<Plan, 'number' | 'token'> = { number: 0, token: 0 };

  constructor(
    timing: FleetTiming,
    listener: StoreListener,
    send: (call: number, request: StoreRequest) => void,
  ) {
    this.#timing = timing;
    this.#listener = listener;
    this.#send = send;
  }

  /** Time of the store's last answer; undefined before its first answer. */
  get answeredAt(): number | undefined {
    return this.#answeredAt;
  }

  get isUp(): boolean {
    return this.#answeredAt !== undefined && this.#failure === undefined;
  }

  /** How the last call to the store failed; undefined if it did not. */
  get failure(): StoreFailure | undefined {
    return this.#failure;
  }

  call(request: StoreRequest, now: number, settle: Pending['settle']): void {
    const call = ++this.#calls;
    this.#pending.set(call, { sentAt: now, settle });
    this.#send(call, request);
  }

  settle(call: number, answer: StoreAnswer | undefined, failed: FailedCall | undefined, now: number): void {
    const pending = this.#pending.get(call);
    if (pending === undefined) return;
    this.#pending.delete(call);
    this.#failure = answer === undefined ? (failed?.failure ?? 'other') : undefined;
    if (answer !== undefined) this.#answeredAt = now;
    pending.settle(answer, failed);
  }

  tick(now: number): void {
    if (this.#isBeating || this.#isJoining) return;
    if (!this.#isJoined && now - this.#beatAt >= this.#timing.beatMs) this.join(now);
    else if (now - this.#beatAt >= this.#timing.beatMs) this.beat(now);
  }

  /** Writes the record, now or as soon as the call under way has ended. */
  rejoin(): void {
    this.#isJoined = false;
    this.#beatAt = -Infinity;
  }

  join(now: number): void {
    this.#isJoining = true;
    this.#isJoined = true;
    this.#beatAt = now;
    const request = this.#listener.joining();
    this.call(request, now, (answer, failed) => {
      this.#isJoining = false;
      if (answer?.op !== 'join') {
        this.#isJoined = false;
        this.#fail(failed, 'join', now);
        return;
      }
      this.#learn(answer.versions);
      // The list of members follows at once.
      this.#beatAt = -Infinity;
    });
  }

  beat(now: number): void {
    this.#isBeating = true;
    this.#beatAt = now;
    const lease = this.#listener.renewing();
    const slice = this.#slice;
    const { declaration } = this.#listener.joining().record;
    this.call({ op: 'beat', lease, slice, declaration }, now, (answer, failed) => {
      this.#isBeating = false;
      if (answer?.op !== 'beat') {
        this.#fail(failed, 'beat', now);
        return;
      }
      this.#onBeat(answer.answer, lease, slice, now);
    });
  }

  hint({ kind, number }: Hint, now: number): void {
    const known = kind === 'plan' ? this.stored.number : this.overrides.document.generation;
    if (number > known) this.read({ overrides: kind === 'override', plan: kind === 'plan' }, now);
  }

  /** Starts a read, one at a time; a skipped request is repeated with the next heartbeat. */
  read(wanted: Partial<Wanted>, now: number): void {
    const { members = [], declarations = [], overrides = false, plan = false, versions = false } = wanted;
    if (members.length === 0 && declarations.length === 0 && !overrides && !plan && !versions) return;
    if (this.#isReading) return;
    this.#isReading = true;
    const request = { op: 'read' as const, members, declarations, overrides, plan, versions };
    this.call(request, now, (answer, failed) => {
      this.#isReading = false;
      if (answer?.op !== 'read') {
        this.#fail(failed, 'read', now);
        return;
      }
      this.#learn(answer.versions);
      if (answer.overrides !== undefined) {
        this.storedGeneration = answer.overrides.document.generation;
        this.#takeOverrides(answer.overrides);
      } else if (overrides && answer.unreadable.includes('overrides') && !answer.newer.includes('overrides'))
        this.#repair(now);
      if (answer.plan !== undefined) this.stored = answer.plan;
      const missing = this.#listener.read(answer, this.#answeredAt ?? now);
      if (members.length > 0) this.read({ declarations: missing }, this.#answeredAt ?? now);
    });
  }

  /** Writes overrides that this instance made, or that are newer than the store's. */
  writeOverrides(
    document: Overrides,
    expected: number,
    now: number,
    done: (isAccepted: boolean, failure?: StoreFailure) => void,
  ): void {
    this.call({ op: 'override', expected, document }, now, (answer, failed) => {
      if (answer?.op !== 'override') {
        this.#fail(failed, 'override', now);
        done(false, failed?.failure);
        return;
      }
      if (answer.isAccepted) {
        this.storedGeneration = document.generation;
        this.#takeOverrides({ document, tag: answer.tag });
      }
      done(answer.isAccepted);
    });
  }

  #onBeat(answer: BeatAnswer, renewed: Lease | undefined, slice: number, sentAt: number): void {
    const now = this.#answeredAt ?? sentAt;
    this.#slice = answer.memberCount > SLICE_MEMBERS ? slice + 1 : 0;
    this.stored = { number: answer.planNumber, token: answer.planToken };
    this.storedGeneration = answer.generation;
    const unread = this.#listener.beaten(answer, renewed, slice, sentAt, now);
    if (answer.isGone) {
      this.#isJoined = false;
      this.#beatAt = -Infinity;
    }
    const own = this.overrides;
    const isBehind =
      answer.generation > own.document.generation ||
      (answer.generation === own.document.generation && answer.overridesTag > own.tag);
    const isAhead =
      answer.generation < own.document.generation ||
      (answer.generation === own.document.generation && answer.overridesTag < own.tag);
    if (!isBehind) this.areOverridesKnown = true;
    if (isAhead) this.writeOverrides(own.document, answer.generation, now, () => {});
    const isUnknownPlan = this.#listener.isPlanUnknown(answer);
    this.read({ ...unread, overrides: isBehind, plan: isUnknownPlan }, now);
  }

  /**
   * Writes the overrides over forged ones. An instance without overrides cannot tell which side is wrong: its own
   * secret may be.
   */
  #repair(now: number): void {
    const { document } = this.overrides;
    if (document.generation === 0) return;
    const generation = Math.max(document.generation, this.storedGeneration) + 1;
    this.writeOverrides({ ...document, generation }, this.storedGeneration, now, () => {});
  }

  #takeOverrides(found: Tagged<Overrides>): void {
    this.areOverridesKnown = true;
    const { document, tag } = this.overrides;
    const { generation } = found.document;
    if (generation > document.generation || (generation === document.generation && found.tag > tag))
      this.overrides = found;
  }

  #learn(versions: Readonly<Record<string, number>>): void {
    const known: Record<string, number> = { ...this.versions };
    for (const [key, at] of Object.entries(versions)) {
      if (at <= (known[key] ?? 0)) continue;
      known[key] = at;
      this.versionsRevision++;
    }
    this.versions = known;
  }

  #fail(failed: FailedCall | undefined, op: StoreRequest['op'], now: number): void {
    this.#listener.failed(failed ?? { failure: 'other' }, op, now);
  }
}

/** Whether an instance should read the plan of the store. */
export function isWorthReading(answer: BeatAnswer, known: Plan | undefined): boolean {
  const { planNumber: number, planToken: token } = answer;
  return number > 0 && isNewer({ number, token }, known);
}
