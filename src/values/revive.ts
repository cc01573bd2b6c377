import { type ErrorEnvelope, fromErrorEnvelope } from './error-envelope.ts';
import { MARK, type MarkKind, type Marks } from './marks.ts';
import { decodeRequest, type RequestData } from './request.ts';

type HandleReviver = (data: object) => unknown;

let reviveHandle: HandleReviver = () => {
  throw new TypeError('this thread has no router: a handle cannot be used here');
};

/** The router of this thread registers how a handle is restored from its data. @returns what was registered before */
export function onReviveHandle(reviver: HandleReviver): HandleReviver {
  const before = reviveHandle;
  reviveHandle = reviver;
  return before;
}

/**
 * Replaces the stand-ins by the values that they stand for. `value` belongs to the receiver, so it is changed in place; it is
 * walked only if the message has marks at all.
 */
export function revive(value: unknown, marks: Marks): unknown {
  const kinds = new Map<object, MarkKind>();
  for (let index = 0; index < marks.length; index += 2) {
    const kind = marks[index + 1] as MarkKind;
    if (kind !== MARK.shared) kinds.set(marks[index] as object, kind);
  }
  return kinds.size === 0 ? value : new Reviver(kinds).walk(value);
}

/**
 * Returns the error that a captured value stands for, with its class, code and message, so that it can be judged where it is
 * only passed on. Its members stay as they crossed, since a handle among them may have no router on this thread, and the
 * captured value is unchanged. Any other value is returned as it is.
 */
export function reviveErrorAlone(value: unknown, marks: Marks | undefined): unknown {
  if (marks === undefined) return value;
  for (let index = 0; index < marks.length; index += 2)
    if (marks[index] === value && marks[index + 1] === MARK.error)
      return fromErrorEnvelope(value as ErrorEnvelope);
  return value;
}

class Reviver {
  readonly #kinds: Map<object, MarkKind>;
  readonly #done = new Map<object, unknown>();

  constructor(kinds: Map<object, MarkKind>) {
    this.#kinds = kinds;
  }

  walk(value: unknown): unknown {
    if (typeof value !== 'object' || value === null) return value;
    if (this.#done.has(value)) return this.#done.get(value);
    const kind = this.#kinds.get(value);
    if (kind !== undefined) return this.#original(value, kind);
    this.#done.set(value, value);
    if (Array.isArray(value)) {
      for (const key of Object.keys(value)) this.#replace(value, key);
    } else if (value instanceof Map) {
      this.#map(value);
    } else if (value instanceof Set) {
      const items = [...value].map((item) => this.walk(item));
      value.clear();
      for (const item of items) value.add(item);
    } else if (Object.getPrototypeOf(value) === Object.prototype) {
      for (const key of Object.keys(value)) this.#replace(value, key);
    }
    return value;
  }

  #replace(container: object, key: string): void {
    const item: unknown = Reflect.get(container, key);
    if (typeof item !== 'object' || item === null) return;
    const original = this.walk(item);
    if (original !== item) Object.defineProperty(container, key, { value: original });
  }

  #map(value: Map<unknown, unknown>): void {
    const entries = [...value].map(([key, item]) => [this.walk(key), this.walk(item)] as const);
    value.clear();
    for (const [key, item] of entries) value.set(key, item);
  }

  #original(standIn: object, kind: MarkKind): unknown {
    if (kind === MARK.error) return this.#error(standIn as ErrorEnvelope);
    const original = revived(standIn, kind);
    this.#done.set(standIn, original);
    return original;
  }

  #error(envelope: ErrorEnvelope): Error {
    // Registered before its members are walked, because an error may be its own cause.
    const error = fromErrorEnvelope(envelope);
    this.#done.set(envelope, error);
    for (const key of Object.keys(envelope.data)) {
      const item = this.walk(envelope.data[key]);
      if (item !== envelope.data[key]) Object.defineProperty(error, key, { value: item });
    }
    if ('cause' in envelope) Object.defineProperty(error, 'cause', { value: this.walk(envelope.cause) });
    if (error instanceof AggregateError) error.errors = error.errors.map((item) => this.walk(item));
    return error;
  }
}

function revived(standIn: object, kind: MarkKind): unknown {
  switch (kind) {
    case MARK.buffer:
      return toBuffer(standIn as Uint8Array);
    case MARK.request:
      return decodeRequest(standIn as RequestData);
    default:
      return reviveHandle(standIn);
  }
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
