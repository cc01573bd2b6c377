import { isInstance } from '../validation/peek.ts';
import { describe } from '../values/describe-value.ts';

/** One record as a line of JSON. Values that JSON has no form for are described, so that no record is lost. */
export function jsonLine(level: string, time: Date, fields: object, message: string): string {
  return toJson({ level, time: time.toISOString(), name: 'inserve', ...fields, msg: message });
}

/** Describes values that cannot be written as JSON, such as a cycle or a Proxy that throws, so that no log line is lost. */
function toJson(record: object): string {
  try {
    return JSON.stringify(record, withErrors);
  } catch {
    const described = Object.entries(record).map(([key, value]) => [
      key,
      typeof value === 'object' && value !== null ? describe(value) : value,
    ]);
    return JSON.stringify(Object.fromEntries(described), withErrors);
  }
}

function withErrors(_key: string, value: unknown): unknown {
  if (!isInstance(value, Error)) return typeof value === 'bigint' ? String(value) : value;
  const { name, message, stack, cause } = value;
  return { ...value, name, message, stack, ...(cause === undefined ? {} : { cause }) };
}
