import { invalidOption } from '../../errors.ts';
import { type Field, number, recordOf } from '../../validation/fields.ts';
import { type Demand, fromUnits, toUnits, WHOLE } from './resource-units.ts';

/** Amounts by resource; fractions allowed. Any other name is a custom resource. */
export interface Resources {
  /** Cpus. */
  cpus?: number;
  /** Gpus: a fraction of one device, or whole devices. */
  gpus?: number;
  /** Memory in MiB. */
  memoryMb?: number;
  [custom: string]: number | undefined;
}

const amounts = recordOf(number(0, 1e9));
const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function parseAmounts(value: unknown, option: string): Resources {
  const parsed = amounts.parse(dropUndefined(value), option);
  for (const name of Object.keys(parsed)) {
    if (!NAME.test(name))
      throw invalidOption(`${option} name`, name, 'a letter, then up to 63 letters, digits, _, . and -');
  }
  return parsed;
}

/** Options that are `undefined` count as not given. */
function dropUndefined(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== undefined));
}

/** Resources of an instance. */
export const RESOURCES_FIELD: Field<Resources> = {
  allowed: amounts.allowed,
  parse(value, option) {
    const parsed = parseAmounts(value, option);
    if (!Number.isInteger(parsed.gpus ?? 0))
      throw invalidOption(`${option}.gpus`, parsed.gpus, 'a whole number of devices');
    return parsed;
  },
};

/** Resources that a replica needs. */
export const DEMAND_FIELD: Field<Resources> = {
  allowed: amounts.allowed,
  parse(value, option) {
    const parsed = parseAmounts(value, option);
    for (const [name, amount] of Object.entries(parsed)) {
      if (amount !== 0 && toUnits(amount as number) === 0)
        throw invalidOption(`${option}.${name}`, amount, `0, or at least ${fromUnits(1)}`);
    }
    const gpus = parsed.gpus ?? 0;
    if (gpus > 1 && !Number.isInteger(gpus))
      throw invalidOption(`${option}.gpus`, gpus, 'a fraction of one device, or a whole number');
    return parsed;
  },
};

/** Amounts in units, without zeros. */
export function demandOf({ gpus = 0, ...rest }: Resources): Demand {
  const amounts = Object.entries(rest).flatMap(([name, amount]) =>
    amount === undefined || amount === 0 ? [] : [[name, toUnits(amount)] as const],
  );
  return { amounts: Object.fromEntries(amounts), gpus: gpus > 1 ? gpus * WHOLE : toUnits(gpus) };
}
