import { format } from 'node:util';
import { LOG_LEVELS, type LogLevel, type LogLine } from '../../deployment/options/log-line.ts';
import { callScope } from '../../handle/call/scope.ts';

const LEVEL_OF = {
  debug: 'debug',
  log: 'info',
  info: 'info',
  warn: 'warn',
  error: 'error',
  trace: 'error',
} as const;

/**
 * Makes the `console` of this thread write records instead of lines: each with the request it belongs to. What is below
 * the level is not even formatted. `process.stdout` is left alone.
 */
export function forwardConsole(level: LogLevel, send: (line: LogLine) => void): void {
  const lowest = LOG_LEVELS.indexOf(level);
  for (const method of Object.keys(LEVEL_OF) as (keyof typeof LEVEL_OF)[]) {
    console[method] = (...values: unknown[]) => {
      const own = method === 'error' && isNodeWarning(values[0]) ? 'warn' : LEVEL_OF[method];
      if (LOG_LEVELS.indexOf(own) < lowest) return;
      const message = method === 'trace' ? (new Error(format(...values)).stack ?? '') : format(...values);
      const scope = callScope.getStore();
      send({ level: own, message, requestId: scope?.requestId, route: scope?.route });
    };
  }
}

/** Whether Node printed the line for `process.emitWarning()`, such as for a deprecation; it does so by `console.error`. */
function isNodeWarning(line: unknown): boolean {
  return typeof line === 'string' && /^\(node:\d+\) /.test(line);
}
