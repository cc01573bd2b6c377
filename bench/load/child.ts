import { answer } from '../harness/answer.ts';
import { pinThread } from '../harness/pin.ts';
import { cannonade } from './autocannon.ts';
import { generate } from './generate.ts';
import type { LoadReply, LoadRequest } from './load.ts';

const send = process.argv[2] === 'autocannon' ? cannonade : generate;
let core: number | undefined;

answer<LoadRequest, LoadReply>(
  async (request) => {
    if (request.core !== core) {
      core = request.core;
      pinThread(core);
    }
    return send(request);
  },
  async () => {},
);
