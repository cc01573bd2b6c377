/**
 * The result of work that may never end. The time keeps the process alive.
 *
 * @throws what the work throws; `error()` when the time is up first
 */
export async function withTimeout<T>(work: Promise<T>, ms: number, error: () => Error): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(error()), ms);
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Waits for work that may fail or hang; answers when it is over or the time is up. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  work.then(
    () => resolve(),
    () => resolve(),
  );
  await promise;
  clearTimeout(timer);
}
