const refuse = (): never => {
  throw new TypeError('not readable');
};

/** A handler all of whose traps throw. */
const throwing = new Proxy({}, { get: () => refuse });

function revoked(target: object): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** Values that throw where somebody looks at them, by name; each time a new one. */
export const UNREADABLE = {
  'a getter `then` that throws': () =>
    Object.defineProperty({}, 'then', { get: refuse, enumerable: true, configurable: true }),
  'a Proxy whose traps throw': () => new Proxy({}, throwing),
  'a Proxy of an array whose traps throw': () => new Proxy([1], throwing),
  'a revoked Proxy': () => revoked({}),
  'a revoked Proxy of an array': () => revoked([]),
  'a revoked Proxy of an error': () => revoked(new Error('hidden')),
  'an object with such a prototype': () => Object.create(new Proxy({}, throwing)) as object,
  'a tag that throws': () =>
    new (class {
      get [Symbol.toStringTag](): string {
        return refuse();
      }
    })(),
  'an iterator that throws': () =>
    new (class {
      get [Symbol.asyncIterator](): unknown {
        return refuse();
      }
    })(),
} satisfies Record<string, () => object>;

export type Unreadable = keyof typeof UNREADABLE;

export const UNREADABLE_NAMES: readonly Unreadable[] = Object.keys(UNREADABLE) as Unreadable[];
