/** Whether a value is a promise of any implementation. Never throws: a value whose `then` cannot be read is not a promise. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (typeof value !== 'object' || value === null) return false;
  try {
    return typeof (value as { readonly then?: unknown }).then === 'function';
  } catch {
    return false;
  }
}

const { then } = Promise.prototype;

/**
 * Calls one of the two functions once, as soon as the promise is settled. Like `await` it tolerates a foreign promise whose
 * `then` throws or calls back twice.
 */
export function whenSettled(
  promise: PromiseLike<unknown>,
  onValue: (value: unknown) => void,
  onError: (error: unknown) => void,
): void {
  try {
    // The common case: `Promise.resolve` would first read the constructor.
    if (promise.then === then) promise.then(onValue, onError);
    else then.call(Promise.resolve(promise), onValue, onError);
  } catch (error) {
    onError(error);
  }
}
