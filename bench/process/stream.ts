import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { openCaller } from '../fleet/batches.ts';
import type { Small } from '../threads/work.ts';
import { post, read } from './framing.ts';
import type { Session } from './session.ts';

/** A child process at the other end of file descriptor 3. */
function startChild() {
  const program = fileURLToPath(new URL('./stream-child.ts', import.meta.url));
  const child = spawn(process.execPath, [program], { stdio: ['ignore', 'inherit', 'inherit', 'pipe'] });
  const link = child.stdio[3] as Duplex;
  const caller = openCaller((message) => post(link, message));
  read(link, caller.receive);
  const { echo } = caller.session(async () => {});
  return { child, echo: (payload: Small) => echo(payload) };
}

/** A child process with promises and batches, and nothing else. */
export async function stream(): Promise<Session> {
  const { child, echo } = startChild();
  return {
    echo,
    /** The time until Node reports the exit of a child that was killed. */
    death: async () => {
      const mortal = startChild();
      await mortal.echo({ x: 1 });
      const exited = once(mortal.child, 'exit');
      const killedAt = performance.now();
      mortal.child.kill('SIGKILL');
      await exited;
      return performance.now() - killedAt;
    },
    close: async () => {
      child.kill('SIGKILL');
    },
  };
}
