import type { BoundDeployment, MiddlewareOptions, WebSocketOptions } from '../../../src/index.ts';
import { type Talker, talker } from '../../fixtures/http/sockets.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { ongoing } from '../every-framework/setup.ts';

interface Talking {
  readonly app?: BoundDeployment<Talker>;
  readonly webSocket?: WebSocketOptions;
  readonly middleware?: MiddlewareOptions;
}

/** An instance with the talker as its app under `/`, behind a plain server. */
export async function talking({ app = talker.bind(), webSocket, middleware }: Talking = {}) {
  const serve = quietServe();
  const handle = await serve.run(app);
  const host = await listen(serve.middleware(undefined, middleware));
  serve.attachWebSocket(host.server, webSocket);
  return {
    serve,
    handle,
    port: host.port,
    server: host.server,
    /** Calls that hold a place at the talker. */
    get ongoing(): number {
      return ongoing(serve);
    },
    async [Symbol.asyncDispose]() {
      await serve.close();
      await host[Symbol.asyncDispose]();
    },
  };
}

export type TalkingApp = Awaited<ReturnType<typeof talking>>;
