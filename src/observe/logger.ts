import { instanceOf } from '../validation/fields.ts';
import { peek } from '../validation/peek.ts';
import { jsonLine } from './json-log.ts';
import { paintStderr, prettyLines } from './pretty-log.ts';

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

/**
 * Writes records from level `info` to stderr: on a terminal as coloured lines with the stack below, else as lines of JSON. The
 * environment variable `INSERVE_LOG` (`pretty` or `json`) overrides the format.
 */
export const defaultLogger: Logger = {
  debug() {},
  info: (fields, message) => write('info', fields, message),
  warn: (fields, message) => write('warn', fields, message),
  error: (fields, message) => write('error', fields, message),
};

function write(level: string, fields: object, message: string): void {
  const time = new Date();
  const record = isPretty()
    ? prettyLines(level, time, fields, message, paintStderr)
    : jsonLine(level, time, fields, message);
  process.stderr.write(`${record}\n`);
}

function isPretty(): boolean {
  const given = process.env['INSERVE_LOG'];
  return given === 'pretty' || (given !== 'json' && process.stderr.isTTY);
}
