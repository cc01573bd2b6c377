import { MARK, type MarkKind, type Marks, markShared } from '../../values/marks.ts';
import { FAULT, malformed, WireError } from '../wire-error.ts';
import { CONTAINER, type ContainerKind, wordAt } from './extension.ts';
import { MAX_DEPTH } from './scan.ts';
import { checkStandIn } from './stand-in.ts';

/** Placeholder of a hole until its array is built. */
export const HOLE_HERE: unique symbol = Symbol('hole');

/** Reference to a container that began before. */
export class Same {
  readonly number: number;

  constructor(data: Uint8Array) {
    this.number = wordAt(data, 0);
  }
}

/** The first item of an array that stands for a container. */
export class ContainerHead {
  readonly kind: ContainerKind;
  /** Mark of the container; undefined if it has none. */
  readonly mark: MarkKind | undefined;
  /** Number of the container; undefined if it occurs once. */
  readonly number: number | undefined;
  /** Marks of the frame. */
  readonly marks: Marks;

  constructor(data: Uint8Array, marks: Marks) {
    const [kind, mark] = data as unknown as [number, number];
    if (kind > CONTAINER.leaf) throw malformed(`container ${kind} does not exist`);
    if (data.length !== 2 && data.length !== 6)
      throw malformed(`the head of a container has ${data.length} bytes`);
    this.kind = kind as ContainerKind;
    this.mark = mark === 0 ? undefined : ((mark - 1) as MarkKind);
    if (this.mark !== undefined && (kind !== CONTAINER.object || !STAND_INS.has(this.mark)))
      throw malformed(`a container has the mark ${this.mark}`);
    this.number = data.length === 6 ? wordAt(data, 2) : undefined;
    this.marks = marks;
  }
}

/** Marks whose stand-ins are objects. */
const STAND_INS: ReadonlySet<MarkKind> = new Set([MARK.error, MARK.handle, MARK.request]);

/**
 * Builds the containers that arrays with a head stand for. Messages without such arrays are not walked: the decoded
 * value is final then, and belongs to the receiver.
 */
export class Raising {
  readonly #numbered = new Map<number, unknown>();

  /** @throws WireError */
  value(value: unknown, depth = 0): unknown {
    if (value === HOLE_HERE || value instanceof ContainerHead)
      throw malformed('a hole or the head of a container is in the wrong place');
    if (typeof value !== 'object' || value === null) return value;
    if (value instanceof Same) return this.#same(value);
    if (depth > MAX_DEPTH)
      throw new WireError(FAULT.depth, `a value is nested more than ${MAX_DEPTH} levels deep`);
    if (Array.isArray(value)) return this.#array(value, depth);
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    const record = value as Record<string, unknown>;
    for (const key of Object.keys(record)) {
      const item = record[key];
      const raised = this.value(item, depth + 1);
      // The library refuses `__proto__` as a key of its maps.
      if (raised !== item) record[key] = raised;
    }
    return value;
  }

  #same({ number }: Same): unknown {
    if (!this.#numbered.has(number)) throw malformed(`container ${number} is unknown`);
    return this.#numbered.get(number);
  }

  #array(list: unknown[], depth: number): unknown {
    const [head] = list;
    if (head instanceof ContainerHead) return this.#container(head, list, depth);
    for (let index = 0; index < list.length; index++) list[index] = this.value(list[index], depth + 1);
    return list;
  }

  #container(head: ContainerHead, list: readonly unknown[], depth: number): unknown {
    switch (head.kind) {
      case CONTAINER.object:
        return this.#object(head, list, depth);
      case CONTAINER.array:
        return this.#named(head, list, depth);
      case CONTAINER.map:
        return this.#map(head, list, depth);
      case CONTAINER.set: {
        const set = this.#begun(head, new Set());
        for (let index = 1; index < list.length; index++) set.add(this.value(list[index], depth + 1));
        return set;
      }
      case CONTAINER.leaf:
        if (list.length !== 2) throw malformed(`a leaf has ${list.length - 1} values`);
        return this.#begun(head, this.value(list[1], depth));
    }
  }

  /** Registers a container before its members are built: a container may contain itself. */
  #begun<T>(head: ContainerHead, container: T): T {
    if (head.number === undefined) return container;
    if (this.#numbered.has(head.number)) throw malformed(`container ${head.number} occurs twice`);
    this.#numbered.set(head.number, container);
    markShared(head.marks);
    return container;
  }

  #object(head: ContainerHead, list: readonly unknown[], depth: number): object {
    const object = this.#begun(head, {});
    if (head.mark !== undefined) head.marks.push(object, head.mark);
    this.#entries(object, list, 1, depth);
    if (head.mark !== undefined) checkStandIn(object, head.mark);
    return object;
  }

  #named(head: ContainerHead, list: readonly unknown[], depth: number): unknown[] {
    const length = list[1];
    if (
      typeof length !== 'number' ||
      !(length >= 0 && length <= list.length - 2) ||
      !Number.isInteger(length)
    )
      throw malformed('an array lacks items');
    const array = this.#begun(head, new Array<unknown>(length));
    for (let index = 0; index < length; index++) {
      const item = list[index + 2];
      if (item !== HOLE_HERE) array[index] = this.value(item, depth + 1);
    }
    this.#entries(array, list, length + 2, depth);
    return array;
  }

  #map(head: ContainerHead, list: readonly unknown[], depth: number): Map<unknown, unknown> {
    if (list.length % 2 === 0) throw malformed('a key has no value');
    const map = this.#begun(head, new Map());
    for (let index = 1; index < list.length; index += 2) {
      const key = this.value(list[index], depth + 1);
      map.set(key, this.value(list[index + 1], depth + 1));
    }
    return map;
  }

  /** Defines names and values, never assigns them: `__proto__` is a key like any other. */
  #entries(target: object, list: readonly unknown[], from: number, depth: number): void {
    if ((list.length - from) % 2 !== 0) throw malformed('a key has no value');
    const isArray = Array.isArray(target);
    for (let index = from; index < list.length; index += 2) {
      const key = list[index];
      if (typeof key !== 'string') throw malformed('a key is not a string');
      if (isArray && (key === 'length' || String(Number(key) >>> 0) === key))
        throw malformed(`an array has the name ${key}`);
      const value = this.value(list[index + 1], depth + 1);
      Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
    }
  }
}
