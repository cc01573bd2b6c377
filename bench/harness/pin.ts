import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/**
 * Binds the calling thread to one core, or to all of them again. False where that cannot be done: not Linux, or no
 * `taskset`.
 */
export function pinThread(core?: number): boolean {
  const cores = core === undefined ? `0-${availableParallelism() - 1}` : String(core);
  try {
    // A synchronous read is done by the calling thread, so "self" is that.
    const [thread = ''] = readFileSync('/proc/thread-self/stat', 'utf8').split(' ', 1);
    execFileSync('taskset', ['-pc', cores, thread], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
