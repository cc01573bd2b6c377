/** Amounts by resource, in ten-thousandths of a unit as Ray counts them: sums of fractions stay exact. */
export type Amounts = Readonly<Record<string, number>>;

/** One whole cpu, gpu, MiB or whatever it is. */
export const WHOLE = 10_000;

export function toUnits(amount: number): number {
  return Math.round(amount * WHOLE);
}

export function fromUnits(units: number): number {
  return units / WHOLE;
}

/** What one replica needs. Gpus are apart, since they are devices and not an amount. */
export interface Demand {
  readonly amounts: Amounts;
  /** In ten-thousandths; above one whole only multiples of it. */
  readonly gpus: number;
}
