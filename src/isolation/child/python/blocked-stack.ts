import { dirname, sep } from 'node:path';

/** The signal on which the runner writes the stacks of its threads. The handler is in C, and works while C code runs. */
export const STACK_SIGNAL = 'SIGUSR2';

const FRAME = /^ {2}File "(?<file>.*)", line (?<line>\d+) in (?<name>.+)$/;
const THREAD = /^(?<current>Current t|T)hread 0x/;

/** Files of Python whose frames say nothing about user code: threads that wait, and the event loop. */
const WAITING = /[\\/](?:asyncio|concurrent)[\\/]|[\\/](?:threading|selectors)\.py$|^<frozen /;

/**
 * Finds the frames of user code in what `faulthandler` writes, the innermost one first: those of the thread that received the
 * signal, or else of the first thread that runs user code.
 *
 * @param runner path of the runner, whose package is not user code
 */
export function blockedFrames(text: string, runner: string): string[] {
  const own = `${dirname(runner)}${sep}`;
  const threads: { readonly isCurrent: boolean; readonly frames: string[] }[] = [];
  for (const line of text.split('\n')) {
    const thread = THREAD.exec(line)?.groups;
    if (thread !== undefined) threads.push({ isCurrent: thread['current'] !== 'T', frames: [] });
    const { file = '', line: number = '', name = '' } = FRAME.exec(line)?.groups ?? {};
    if (file === '' || file.startsWith(own) || WAITING.test(file)) continue;
    threads.at(-1)?.frames.push(`at ${name} (${file}:${number})`);
  }
  const busy = threads.filter(({ frames }) => frames.length > 0);
  return (busy.find(({ isCurrent }) => isCurrent) ?? busy[0])?.frames ?? [];
}
