import { deployment, sse } from 'inserve';
import { pinThread } from '../harness/pin.ts';
import { BUSY_CORE, chunks, compute, JSON_RESULT, size, tickedTokens, tokens } from './work.ts';

class Json {
  call(_request: Request) {
    return JSON_RESULT;
  }
}

class Echo {
  call(request: Request) {
    return request.bytes();
  }
}

class Upload {
  async call(request: Request) {
    return size(await request.bytes());
  }
}

class Stream {
  call(_request: Request) {
    return chunks();
  }
}

class Tokens {
  call(_request: Request) {
    return tokens();
  }
}

class Events {
  call(_request: Request) {
    return sse(tickedTokens());
  }
}

class Busy {
  constructor() {
    pinThread(BUSY_CORE);
  }

  call(_request: Request) {
    return compute();
  }
}

// Raised so that 256 requests are carried, not queued; everything else as users get it.
const options = { module: import.meta.url, maxOngoingRequests: 1_024, maxQueuedRequests: -1 };

export const json = deployment(Json, { ...options, name: 'Json' });
export const echo = deployment(Echo, { ...options, name: 'Echo' });
export const upload = deployment(Upload, { ...options, name: 'Upload' });
export const stream = deployment(Stream, { ...options, name: 'Stream' });
export const tokenStream = deployment(Tokens, { ...options, name: 'Tokens' });
export const events = deployment(Events, { ...options, name: 'Events' });
export const busy = deployment(Busy, { ...options, name: 'Busy' });
