import { invalidOption } from '../../errors.ts';
import { type Field, type Fields, integer, object } from '../../validation/fields.ts';

/** A number of replicas, or the bounds of an autoscaled deployment. */
export type ScaleOptions = number | { min: number; max: number };

interface Bounds {
  min: number;
  max: number;
}

/** The ranges of `numReplicas`, `minReplicas` and `maxReplicas`. */
const REPLICAS = integer(1, 1_000);
const BOUNDS: Fields<Bounds> = { min: integer(0, 1_000), max: integer(1, 1_000) };

/** The number of replicas, or the bounds, that `scale()` sets. */
export const SCALE_FIELD: Field<{ replicas: number } | Bounds> = {
  allowed: `${REPLICAS.allowed}, or { min, max }`,
  parse(value, option) {
    if (typeof value !== 'object' || value === null) {
      if (typeof value !== 'number') throw invalidOption(option, value, this.allowed);
      return { replicas: REPLICAS.parse(value, option) };
    }
    const { min, max } = object<Partial<Bounds>>(BOUNDS).parse(value, option);
    if (min === undefined) throw invalidOption(`${option}.min`, min, BOUNDS.min.allowed);
    if (max === undefined) throw invalidOption(`${option}.max`, max, BOUNDS.max.allowed);
    if (max < min) throw invalidOption(`${option}.max`, max, `at least min (${min})`);
    return { min, max };
  },
};
