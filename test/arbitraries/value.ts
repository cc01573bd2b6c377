import { inspect } from 'node:util';
import fc from 'fast-check';

/** Every kind of view; `Float16Array` where the engine has it. */
export const VIEW_NAMES = [
  'Int8Array',
  'Uint8Array',
  'Uint8ClampedArray',
  'Int16Array',
  'Uint16Array',
  'Int32Array',
  'Uint32Array',
  'Float16Array',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'DataView',
].filter((name) => name in globalThis);

type ViewMaker = new (buffer: ArrayBufferLike, offset?: number, length?: number) => ArrayBufferView;

/** A view of the given kind over the bytes, at an offset of a larger buffer. */
export function makeView(name: string, bytes: Uint8Array, slack = 0): ArrayBufferView {
  const Maker = Reflect.get(globalThis, name) as ViewMaker & { BYTES_PER_ELEMENT?: number };
  const size = Maker.BYTES_PER_ELEMENT ?? 1;
  const length = Math.floor(bytes.length / size);
  const buffer = new ArrayBuffer(length * size + slack * size);
  new Uint8Array(buffer, slack * size).set(bytes.subarray(0, length * size));
  return new Maker(buffer, slack * size, length);
}

/** How to make one value; each time a new one, with all that it holds. */
export interface Recipe {
  make(): unknown;
}

/** Values made of generated data. */
function from<T>(data: fc.Arbitrary<T>, make: (data: T) => unknown): fc.Arbitrary<Recipe> {
  return data.map((given) => ({ make: () => make(given) }));
}

const bytes = fc.uint8Array({ maxLength: 24 });

const primitive = fc.oneof(
  fc.string(),
  fc.constantFrom(undefined, null, true, false, Number.NaN, -0, 0, Infinity, ''),
  fc.double(),
  fc.bigInt(),
);

const leaf: fc.Arbitrary<Recipe> = fc.oneof(
  { weight: 5, arbitrary: from(primitive, (value) => value) },
  from(fc.date({ noInvalidDate: false }), (date) => new Date(date)),
  from(
    fc.tuple(fc.constantFrom('a.c', '^x+$', '[/]', ''), fc.constantFrom('', 'g', 'iu', 'dsy')),
    ([source, flags]) => new RegExp(source, flags),
  ),
  from(bytes, (data) => data.slice().buffer),
  from(bytes, (data) => {
    const shared = new SharedArrayBuffer(data.length);
    new Uint8Array(shared).set(data);
    return shared;
  }),
  from(bytes, (data) => Buffer.from(data)),
  from(fc.tuple(fc.constantFrom(...VIEW_NAMES), bytes, fc.nat(3)), ([name, data, slack]) =>
    makeView(name, data, slack),
  ),
);

const KINDS = ['object', 'array', 'map', 'set', 'error', 'leaf'] as const;

interface Node {
  readonly kind: (typeof KINDS)[number];
  readonly leaf: Recipe;
  /** What a container holds: other nodes by index, itself and containers above it too. */
  readonly edges: ReadonlyArray<{ readonly key: string; readonly to: number }>;
  readonly hole: boolean;
}

const key = fc.oneof(fc.constantFrom('a', 'b', '__proto__', 'unit', 'constructor', '0', ''), fc.string());

const node: fc.Arbitrary<Node> = fc.record({
  kind: fc.constantFrom(...KINDS),
  leaf,
  edges: fc.array(fc.record({ key, to: fc.nat(11) }), { maxLength: 5 }),
  hole: fc.boolean(),
});

/** A recipe for graphs of allowed values: nested, shared and cyclic. */
export const valueGraph: fc.Arbitrary<Recipe> = fc
  .array(node, { minLength: 1, maxLength: 12 })
  .map((nodes) => {
    const make = (): unknown => build(nodes);
    // What a failed property prints.
    return { make, [fc.toStringMethod]: () => inspect(make(), { depth: 12 }) };
  });

function build(nodes: readonly Node[]): unknown {
  const made = nodes.map(({ kind, leaf }) => (kind === 'leaf' ? leaf.make() : emptyOf(kind)));
  for (const [index, { kind, edges, hole }] of nodes.entries()) {
    const items = edges.map(({ key, to }) => [key, made[to % made.length]] as const);
    fill(kind, made[index], items, hole);
  }
  return made[0];
}

function emptyOf(kind: Exclude<Node['kind'], 'leaf'>): object {
  switch (kind) {
    case 'object':
      return {};
    case 'array':
      return [];
    case 'map':
      return new Map();
    case 'set':
      return new Set();
    case 'error':
      return Object.defineProperty(new RangeError('out of range'), 'stack', { value: 'no stack' });
  }
}

/** Mean something in an error. */
const OF_ERRORS = new Set(['name', 'message', 'stack', 'cause']);

function fill(
  kind: Node['kind'],
  target: unknown,
  items: ReadonlyArray<readonly [string, unknown]>,
  hole: boolean,
): void {
  if (kind === 'array') {
    const list = target as unknown[];
    for (const [name, item] of items) {
      if (name === '__proto__' || name > 'c') define(list, `${name}.`, item);
      else list.push(item);
    }
    if (hole) list.length++;
  } else if (kind === 'map') {
    for (const [name, item] of items) (target as Map<unknown, unknown>).set(hole ? item : name, item);
  } else if (kind === 'set') {
    for (const [, item] of items) (target as Set<unknown>).add(item);
  } else if (kind !== 'leaf') {
    for (const [name, item] of items)
      define(target as object, kind === 'error' && OF_ERRORS.has(name) ? `${name}.` : name, item);
    if (kind === 'error' && hole)
      Object.defineProperty(target, 'cause', { value: items[0]?.[1], writable: true });
  }
}

/** As JSON.parse does: `__proto__` becomes an own property. */
function define(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, enumerable: true, configurable: true, writable: true });
}
