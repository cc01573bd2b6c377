import { setImmediate } from 'node:timers/promises';
import { parentPort } from 'node:worker_threads';
import { sharedNow, timed } from './computing.ts';
import type { HandReply, HandRequest } from './hand.ts';

// What is written by hand where a thread is to compute: one message, one answer, and a turn of the loop between two tokens.
parentPort?.on('message', async ({ id, steps, tokens }: HandRequest) => {
  const send = (value: number, isLast: boolean) => {
    const reply: HandReply = { id, value, isLast };
    parentPort?.postMessage(reply);
  };
  if (tokens === 0) {
    send(timed(steps), true);
    return;
  }
  for (let token = 1; token <= tokens; token++) {
    timed(steps);
    send(sharedNow(), token === tokens);
    await setImmediate();
  }
});
