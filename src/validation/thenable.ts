/** Whether the value is a promise, of whatever make. Never throws: where `then` cannot be read there is no promise. */
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
 * Calls one of the two functions once, as soon as the promise is settled. Looks at the promise as `await` does: the `then`
 * of a foreign one may throw, or call back twice.
 */
export function whenSettled(
  promise: PromiseLike<unknown>,
  onValue: (value: unknown) => void,
  onError: (error: unknown) => void,
): void {
  try {
    // The common case; `Promise.resolve` would look at the constructor first.
    if (promise.then === then) promise.then(onValue, onError);
    else then.call(Promise.resolve(promise), onValue, onError);
  } catch (error) {
    onError(error);
  }
}
