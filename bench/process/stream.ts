import { spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openCaller } from '../fleet/batches.ts';
import { post, read } from './framing.ts';
import type { Session } from './session.ts';

/** A child process at the other end of file descriptor 3, with promises and batches, and nothing else. */
export async function stream(): Promise<Session> {
  const program = fileURLToPath(new URL('./stream-child.ts', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  const link = child.stdio[3] as Duplex;
  const caller = openCaller((message) => post(link, message));
  read(link, caller.receive);
  const { echo } = caller.session(async () => {});
  return {
    echo,
    close: async () => {
      child.kill('SIGKILL');
    },
  };
}
