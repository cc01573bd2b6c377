import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { PauseReport } from '../../fixtures/programs/paused-program.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/programs/paused-program.ts', import.meta.url));

async function message<T>(child: ChildProcess): Promise<T> {
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`the program exited with code ${code}`);
  });
  exited.catch(() => {});
  const [received] = await Promise.race([once(child, 'message'), exited]);
  return received as T;
}

test.skipIf(process.platform === 'win32')(
  'a process that was paused under load kills no replica, refuses no call, and gives nothing up',
  async () => {
    const child = fork(PROGRAM, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    try {
      expect(await message(child)).toBe('ready');
      child.kill('SIGSTOP');
      await sleep(15_000);
      const reported = message<PauseReport>(child);
      child.kill('SIGCONT');
      child.send('report');
      const { outcomes, leaving, states, faults, restarts } = await reported;
      expect({ leaving, states, faults, restarts }).toEqual({
        leaving: 'ok',
        states: [],
        faults: [],
        restarts: 0,
      });
      // Calls whose deadlines passed meanwhile end as timeouts; there are no more of them than were open.
      const { ok = 0, SERVE_TIMEOUT: timeouts = 0, ...others } = outcomes;
      expect(others).toEqual({});
      expect(timeouts).toBeLessThanOrEqual(8);
      expect(ok).toBeGreaterThan(20);
    } finally {
      child.kill('SIGKILL');
    }
  },
  180_000,
);
