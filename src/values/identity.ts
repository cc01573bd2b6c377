const numbers = new WeakMap<object, number>();
let count = 0;

/** A number that identifies the object within this thread. */
export function identityOf(value: object): number {
  let number = numbers.get(value);
  if (number === undefined) {
    number = ++count;
    numbers.set(value, number);
  }
  return number;
}
