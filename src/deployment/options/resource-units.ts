/** Amounts by resource, in ten-thousandths of a unit as Ray counts them: sums of fractions stay exact. */
export type Amounts = Readonly<Record<string, number>>;

/** One whole unit: a cpu, a gpu, a MiB or a custom resource. */
export const WHOLE = 10_000;

export function toUnits(amount: number): number {
  return Math.round(amount * WHOLE);
}

export function fromUnits(units: number): number {
  return units / WHOLE;
}

/** Resources that one replica needs. Gpus are separate, since they are devices instead of an amount. */
export interface Demand {
  readonly amounts: Amounts;
  /** Gpus in ten-thousandths; above one whole only multiples of it. */
  readonly gpus: number;
}
