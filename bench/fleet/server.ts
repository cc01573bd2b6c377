import { answer } from '../harness/answer.ts';
import { contenderOf } from './contenders.ts';

/** The called process of a contender; it answers each request with its port. */
// The threads of an instance do not keep the process alive while it starts.
process.channel?.ref();

/** Time for which the event loop stands still when that is asked for, in ms. */
const BLOCK_MS = 5_000;

const contender = await contenderOf(process.argv[2] ?? '');
const served = await contender.serve();

answer<'port' | 'block', number>(
  async (request) => {
    if (request === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS);
    return served.port;
  },
  () => served.close(),
);
