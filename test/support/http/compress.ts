import type { IncomingMessage, ServerResponse } from 'node:http';
import { createGzip } from 'node:zlib';

/** What `compression` does: the body goes through gzip, `flush()` pushes out what it holds back. */
export function compress(_req: IncomingMessage, res: ServerResponse, next: () => void): void {
  const gzip = createGzip();
  const end = res.end.bind(res);
  const write = res.write.bind(res);
  const on = res.on.bind(res);
  gzip.on('data', (chunk) => void (write(chunk) || gzip.pause()));
  gzip.on('end', () => end());
  on('drain', () => gzip.resume());
  const begin = (): void => {
    if (res.headersSent) return;
    res.removeHeader('content-length');
    res.setHeader('content-encoding', 'gzip');
  };
  Object.assign(res, {
    flush: () => gzip.flush(),
    write: (chunk: string | Uint8Array) => {
      begin();
      return gzip.write(chunk);
    },
    end: (chunk?: string | Uint8Array) => {
      begin();
      gzip.end(chunk);
      return res;
    },
    on: (event: string, listener: (...args: unknown[]) => void) => {
      if (event === 'drain') gzip.on(event, listener);
      else on(event, listener);
      return res;
    },
  });
  next();
}
