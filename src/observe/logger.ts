import { instanceOf } from '../validation/fields.ts';
import { isInstance, peek } from '../validation/peek.ts';
import { describe } from '../values/describe-value.ts';

/** A logger with the signatures of pino: the fields first, then the message. */
export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const LOGGER_FIELD = instanceOf<Logger>(
  'a logger with debug, info, warn and error',
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    ['debug', 'info', 'warn', 'error'].every((level) => typeof peek(value, level) === 'function'),
);

/** Writes lines of JSON to stderr, and nothing below the level `info`. */
export const defaultLogger: Logger = {
  debug() {},
  info: (fields, message) => write('info', fields, message),
  warn: (fields, message) => write('warn', fields, message),
  error: (fields, message) => write('error', fields, message),
};

function write(level: string, fields: object, message: string): void {
  const record = { level, time: new Date().toISOString(), name: 'inserve', ...fields, msg: message };
  process.stderr.write(`${toJson(record)}\n`);
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
