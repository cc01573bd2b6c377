import { appendFileSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { afterAll, expect } from 'vitest';

/** The unit of the times in `/proc`, in s. */
const TICK_S = 0.01;

const before = readCpu();

/** CPU time in s that this process has used, with its threads, and that of its child processes which have ended. */
function readCpu(): { readonly own: number; readonly children: number } {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const seconds = (from: number): number => TICK_S * (Number(fields[from]) + Number(fields[from + 1]));
  return { own: seconds(11), children: seconds(13) };
}

// Set up first, so that it runs last.
afterAll(() => {
  const file = relative(process.cwd(), expect.getState().testPath ?? '');
  const { own, children } = readCpu();
  const line = { file, pid: process.pid, startS: before.own, own, children };
  appendFileSync(process.env['INSERVE_TEST_CPU'] as string, `${JSON.stringify(line)}\n`);
});
