import { Worker } from 'node:worker_threads';
import { SECOND_FD } from '../child-process.ts';

/**
 * Program of a thread that waits for the end of the lifeline, and then ends the whole process group. It works while the
 * main thread never lets go of its event loop, and when native code blocks it.
 */
const PROGRAM = `
const { Socket } = require('node:net');
const end = () => process.kill(process.platform === 'win32' ? process.pid : -process.pid, 'SIGKILL');
new Socket({ fd: ${SECOND_FD}, readable: true, writable: false }).on('error', end).on('close', end).resume();
`;

/** Smallest heap with which a thread starts, in MiB. */
const HEAP_MB = 16;

/** Ends this child process as soon as the thread that spawned it, or the whole host, is gone. */
export function holdLifeline(): void {
  const worker = new Worker(PROGRAM, {
    eval: true,
    name: 'lifeline',
    env: {},
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  worker.unref();
}
