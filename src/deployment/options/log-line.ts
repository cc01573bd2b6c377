export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A line that user code logged in a replica, and the call that it ran in. */
export interface LogLine {
  readonly level: Exclude<LogLevel, 'silent'>;
  readonly message: string;
  readonly requestId: string | undefined;
  /** Route prefix under which the host serves the HTTP request that the call belongs to. */
  readonly route: string | undefined;
}
