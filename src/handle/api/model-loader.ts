/** Marks the function, so that it does not become a remote method. */
export const MULTIPLEXED: unique symbol = Symbol.for('inserve.multiplexed');

/** Loads models by id, and keeps the last few. */
export interface Multiplexed<M> {
  /** The model; the id defaults to that of the current call. */
  (modelId?: string): Promise<M>;
  readonly [MULTIPLEXED]: true;
}
