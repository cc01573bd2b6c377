/** The iterator of an iterable, which is asked for its async one first. */
export function iteratorOf<T>(source: AsyncIterable<T> | Iterable<T>): AsyncIterator<T> | Iterator<T> {
  return Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();
}

/** Whether a value is an object that can be iterated, by an async or a plain iterator. */
export function isIterable(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  return [Symbol.asyncIterator, Symbol.iterator].some(
    (name) => typeof Reflect.get(value, name) === 'function',
  );
}
