/** Takes the place of a result, and makes only that item fail. */
export class BatchError {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

/**
 * Fails one item of a batch: put it where the item's result would be.
 * @example return items.map((item) => item.isValid ? run(item) : batchError(new RangeError('invalid')));
 */
export function batchError(error: unknown): never {
  // Typed as `never`, so that it fits among results of any type.
  return new BatchError(error) as never;
}
