import { isMainThread } from 'node:worker_threads';

/** Makes `process.exit` say who calls it, before the thread, or the child process of a replica, ends. */
export function reportExit(send: (error: Error) => void): void {
  const { exit } = process;
  process.exit = function reported(code?: number | string | null): never {
    const error = new Error(
      `the ${isMainThread ? 'process' : 'thread'} exited with code ${code ?? process.exitCode ?? 0}`,
    );
    Error.captureStackTrace(error, reported);
    const [, caller = ''] = (error.stack ?? '').split('\n');
    // Node calls it itself after an uncaught error, which the host hears of.
    if (!caller.includes('node:internal/')) {
      error.message += `: process.exit() was called ${caller.trim()}`;
      send(error);
    }
    return exit.call(process, code);
  };
}
