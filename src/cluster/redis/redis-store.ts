import type {
  BeatAnswer,
  BeatRequest,
  FleetStore,
  Hint,
  JoinAnswer,
  JoinRequest,
  Lease,
  LeaseRequest,
  LeaveRequest,
  OverrideRequest,
  PlanRequest,
  ReadAnswer,
  ReadRequest,
  SeenMember,
  WriteAnswer,
} from '../fleet-store.ts';
import type { RedisClient } from './client.ts';
import type { FleetKeys } from './keys.ts';
import { BEAT, JOIN, LEASE, LEAVE, OVERRIDE, PLAN, READ } from './scripts.ts';

/** A fleet's store on Redis: each operation is one script. */
export class RedisFleetStore implements FleetStore {
  readonly #client: RedisClient;
  readonly #keys: FleetKeys;

  constructor(client: RedisClient, keys: FleetKeys) {
    this.#client = client;
    this.#keys = keys;
  }

  async join(request: JoinRequest): Promise<JoinAnswer> {
    const { id, revision, record, ttlMs, declaration, declarationHash, declarationTtlMs, version, versions } =
      request;
    const keys = this.#keys;
    const answer = await this.#client.run(
      JOIN,
      [keys.record(id), keys.members, keys.declaration(declarationHash), keys.versions],
      [
        id,
        revision,
        record,
        ttlMs,
        declaration,
        declarationTtlMs,
        version,
        ...Object.entries(versions).flat(),
      ],
    );
    return { versions: numbersOf(answer) };
  }

  async beat(request: BeatRequest): Promise<BeatAnswer> {
    const { id, ttlMs, declarationHash, declarationTtlMs, lease, leaseTtlMs, documentTtlMs, slice } = request;
    const keys = this.#keys;
    const answer = listOf(
      await this.#client.run(
        BEAT,
        [
          keys.members,
          keys.record(id),
          keys.declaration(declarationHash),
          keys.lease,
          keys.overrides,
          keys.plan(),
        ],
        [
          keys.record(''),
          ttlMs,
          declarationTtlMs,
          lease?.owner ?? '',
          lease?.token ?? 0,
          leaseTtlMs,
          documentTtlMs,
          slice,
          keys.page(''),
        ],
      ),
    );
    const [here, count, owner, token, generation, tag, number, planToken, ...rest] = answer;
    const members: SeenMember[] = [];
    for (let at = 0; at < rest.length; at += 3)
      members.push({ id: textOf(rest[at]), revision: textOf(rest[at + 1]), ttlMs: Number(rest[at + 2]) });
    return {
      isGone: Number(here) === 0,
      members,
      memberCount: Number(count),
      lease: textOf(owner) === '' ? undefined : { owner: textOf(owner), token: numberOf(token) },
      generation: numberOf(generation),
      overridesTag: bytesOf(tag).toString('hex'),
      planNumber: numberOf(number),
      planToken: numberOf(planToken),
    };
  }

  async lease({ owner, ttlMs, floor }: LeaseRequest): Promise<Lease | undefined> {
    const keys = [this.#keys.lease, this.#keys.plan()];
    const [holder, token] = listOf(await this.#client.run(LEASE, keys, [owner, ttlMs, floor]));
    return holder === undefined ? undefined : { owner: textOf(holder), token: numberOf(token) };
  }

  async override({ expected, generation, value, ttlMs }: OverrideRequest): Promise<WriteAnswer> {
    const { overrides, hint } = this.#keys;
    const answer = await this.#client.run(OVERRIDE, [overrides], [expected, generation, value, ttlMs, hint]);
    return { isAccepted: answer === 1 };
  }

  async plan({ owner, token, expected, number, pages, ttlMs }: PlanRequest): Promise<WriteAnswer> {
    const { lease, hint } = this.#keys;
    const args = [owner, token, expected, number, ttlMs, hint, this.#keys.page(''), ...pages];
    return { isAccepted: (await this.#client.run(PLAN, [lease, this.#keys.plan()], args)) === 1 };
  }

  async read({ members, declarations, overrides, plan, versions }: ReadRequest): Promise<ReadAnswer> {
    const keys = this.#keys;
    const wanted = [overrides, plan, versions].map((isWanted) => (isWanted ? '1' : '0'));
    const values = [
      ...members.map((id) => keys.record(id)),
      ...declarations.map((hash) => keys.declaration(hash)),
    ];
    const answer = listOf(
      await this.#client.run(
        READ,
        [keys.overrides, keys.plan(), keys.versions],
        [...wanted, keys.page(''), ...values],
      ),
    );
    const [generation, value, number, pages, times, ...found] = answer;
    const named = (names: readonly string[], from: number): Record<string, Buffer | undefined> =>
      Object.fromEntries(names.map((name, index) => [name, optionalBytes(found[from + index])]));
    const stored = numberOf(generation);
    const planned = numberOf(number);
    return {
      members: named(members, 0),
      declarations: named(declarations, members.length),
      overrides: stored === 0 ? undefined : { number: stored, value: bytesOf(value) },
      plan: planned === 0 ? undefined : { number: planned, value: listOf(pages).map(bytesOf) },
      versions: numbersOf(times),
    };
  }

  async leave({ id, isOnlyIfDead }: LeaveRequest): Promise<WriteAnswer> {
    const keys = [this.#keys.record(id), this.#keys.members];
    return { isAccepted: (await this.#client.run(LEAVE, keys, [id, isOnlyIfDead ? '1' : '0'])) === 1 };
  }

  onHint(listener: (hint: Hint) => void): () => void {
    return this.#client.subscribe(this.#keys.hint, (message) => {
      const [kind, number] = message.split(' ');
      if (kind === 'plan' || kind === 'override') listener({ kind, number: Number(number) });
    });
  }
}

function listOf(answer: unknown): unknown[] {
  return Array.isArray(answer) ? answer : [];
}

function bytesOf(answer: unknown): Buffer {
  return optionalBytes(answer) ?? Buffer.alloc(0);
}

function optionalBytes(answer: unknown): Buffer | undefined {
  return Buffer.isBuffer(answer) ? answer : undefined;
}

function textOf(answer: unknown): string {
  return bytesOf(answer).toString();
}

function numberOf(answer: unknown): number {
  return Number(textOf(answer));
}

/** Reads an answer of alternating names and numbers. */
function numbersOf(answer: unknown): Record<string, number> {
  const list = listOf(answer);
  const entries = Array.from({ length: list.length / 2 }, (_, index) => [
    textOf(list[2 * index]),
    numberOf(list[2 * index + 1]),
  ]);
  return Object.fromEntries(entries);
}
