import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer } from './client.ts';

/**
 * Asks again as long as a server of its own process refuses requests because its event loop lags, which happens on a busy machine.
 * Programs that users run have the guard of the host on.
 */
export async function whenAdmitted(ask: () => Promise<Answer>): Promise<Answer> {
  for (;;) {
    const answer = await ask();
    if (answer.status !== 503 || !answer.text.includes('SERVE_BACKPRESSURE')) return answer;
    await sleep(100);
  }
}
