import type { DocumentCodec } from './document-codec.ts';
import { declarationHash, type Opened, revisionOf, tagOf, type Unreadable } from './document-codec.ts';
import type { ReadAnswer, StoreOperation, StoreOperations } from './fleet-store.ts';
import type { StoreAnswer, StoreRequest } from './node/events.ts';
import type { FleetTiming } from './node/timing.ts';

/** A call as a `FleetStore` takes it. */
export type StoreCall = {
  [O in StoreOperation]: { readonly operation: O; readonly request: StoreOperations[O]['request'] };
}[StoreOperation];

/** Translates between the documents that a node works with and the sealed bytes that a store keeps. */
export class StoreCalls {
  readonly #id: string;
  readonly #codec: DocumentCodec;
  readonly #timing: FleetTiming;
  readonly #onUnreadable: (reason: Unreadable) => void;

  /**
   * @param id of the instance that calls
   * @param onUnreadable a stored document cannot be used
   */
  constructor(
    id: string,
    codec: DocumentCodec,
    timing: FleetTiming,
    onUnreadable: (reason: Unreadable) => void = () => {},
  ) {
    this.#onUnreadable = onUnreadable;
    this.#id = id;
    this.#codec = codec;
    this.#timing = timing;
  }

  encode(request: StoreRequest): StoreCall {
    const { recordTtlMs, leaseTtlMs, declarationTtlMs, documentTtlMs } = this.#timing;
    switch (request.op) {
      case 'join': {
        const { record, declaration, version, versions } = request;
        const sealed = this.#codec.sealRecord(record);
        return {
          operation: 'join',
          request: {
            id: record.id,
            revision: revisionOf(sealed),
            record: sealed,
            ttlMs: recordTtlMs,
            versions,
            version,
            declarationHash: record.declaration,
            declaration: this.#codec.sealDeclaration(record.declaration, declaration),
            declarationTtlMs,
          },
        };
      }
      case 'beat': {
        const { slice, declaration, lease } = request;
        const renewed = { id: this.#id, ttlMs: recordTtlMs, declarationHash: declaration, declarationTtlMs };
        return { operation: 'beat', request: { ...renewed, lease, leaseTtlMs, documentTtlMs, slice } };
      }
      case 'lease':
        return {
          operation: 'lease',
          request: { owner: request.owner, ttlMs: leaseTtlMs, floor: request.floor },
        };
      case 'release':
        return { operation: 'lease', request: { owner: request.owner, ttlMs: 0, floor: 0 } };
      case 'override': {
        const { document, expected } = request;
        const value = this.#codec.sealOverrides(document);
        const { generation } = document;
        return { operation: 'override', request: { expected, generation, value, ttlMs: documentTtlMs } };
      }
      case 'plan': {
        const { document, expected, owner } = request;
        const { token, number } = document;
        const pages = this.#codec.sealPlan(document);
        return {
          operation: 'plan',
          request: { owner, token, expected, number, pages, ttlMs: documentTtlMs },
        };
      }
      case 'read': {
        const { op: _, ...wanted } = request;
        return { operation: 'read', request: wanted };
      }
      case 'leave':
        return { operation: 'leave', request: { id: request.id, isOnlyIfDead: request.isOnlyIfDead } };
    }
  }

  /** @param answer the store's answer to the encoded call */
  decode(
    request: StoreRequest,
    call: StoreCall,
    answer: StoreOperations[StoreOperation]['answer'],
  ): StoreAnswer {
    switch (request.op) {
      case 'join':
        return { op: 'join', versions: (answer as StoreOperations['join']['answer']).versions };
      case 'beat':
        return { op: 'beat', answer: answer as StoreOperations['beat']['answer'] };
      case 'lease':
      case 'release':
        return { op: request.op, lease: answer as StoreOperations['lease']['answer'] };
      case 'override': {
        const tag = call.operation === 'override' ? tagOf(call.request.value) : '';
        return {
          op: 'override',
          isAccepted: (answer as StoreOperations['override']['answer']).isAccepted,
          tag,
        };
      }
      case 'plan':
        return { op: 'plan', isAccepted: (answer as StoreOperations['plan']['answer']).isAccepted };
      case 'read':
        return this.#decodeRead(answer as ReadAnswer);
      case 'leave':
        return { op: 'leave' };
    }
  }

  #decodeRead({
    members,
    declarations,
    overrides,
    plan,
    versions,
  }: ReadAnswer): Extract<StoreAnswer, { op: 'read' }> {
    const unreadable: string[] = [];
    const newer: string[] = [];
    const forged: string[] = [];
    const opened = <T>(name: string, found: Opened<T>): T | undefined => {
      if ('document' in found) return found.document;
      unreadable.push(name);
      this.#onUnreadable(found.unreadable);
      if (found.unreadable === 'newer-format') newer.push(name);
      if (found.unreadable === 'forged') forged.push(name);
      return undefined;
    };
    const records = Object.entries(members).flatMap(([id, value]) => {
      const record = value && opened(`record ${id}`, this.#codec.openRecord(id, value));
      return value === undefined || record === undefined ? [] : [{ record, revision: revisionOf(value) }];
    });
    const found = Object.entries(declarations).flatMap(([hash, value]) => {
      const declaration = value && opened(`declaration ${hash}`, this.#codec.openDeclaration(hash, value));
      if (declaration === undefined) return [];
      return declarationHash(declaration) === hash ? [{ hash, declaration }] : [];
    });
    const document =
      overrides && opened('overrides', this.#codec.openOverrides(overrides.number, overrides.value));
    return {
      op: 'read',
      members: records,
      declarations: found,
      overrides:
        overrides === undefined || document === undefined
          ? undefined
          : { document, tag: tagOf(overrides.value) },
      plan: plan && opened('plan', this.#codec.openPlan(plan.number, plan.value)),
      versions,
      unreadable,
      newer,
      forged,
    };
  }
}
