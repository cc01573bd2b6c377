import { inject } from 'vitest';
import { createServe, type Logger, type Serve, type ServeOptions } from '../../src/index.ts';

/** A logger that keeps its records instead of printing them. */
export class Records implements Logger {
  readonly records: Array<{ level: string; fields: object; message: string }> = [];

  debug(fields: object, message: string): void {
    this.records.push({ level: 'debug', fields, message });
  }

  info(fields: object, message: string): void {
    this.records.push({ level: 'info', fields, message });
  }

  warn(fields: object, message: string): void {
    this.records.push({ level: 'warn', fields, message });
  }

  error(fields: object, message: string): void {
    this.records.push({ level: 'error', fields, message });
  }
}

/**
 * A serving instance whose expected failures do not litter the test output, and which a busy machine does not make refuse
 * calls.
 */
export function quietServe(options: ServeOptions = {}): Serve & { log: Records } {
  const log = new Records();
  const workerEntry = inject('threadEntry');
  const serve = createServe({ logger: log, hostGuard: { enabled: false }, workerEntry, ...options });
  return Object.assign(serve, { log });
}
