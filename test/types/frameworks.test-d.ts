import { createServer } from 'node:http';
import express, { Router } from 'express';
import { type BoundDeployment, createServe, type ServeMiddleware, serve } from 'inserve';

declare class Ingress {
  call(request: Request): Promise<Response>;
}
declare const app: BoundDeployment<typeof Ingress>;

const host = express();
host.use(serve.middleware());
host.use('/speech', serve.middleware(app));
host.use('/speech/:room', express.json(), serve.middleware('speech', { onError: 'next', bodyLimit: '2mb' }));
host.use(['/a', /b$/], serve.middleware(app), (_req, res) => res.end());
host.all('/all', serve.middleware(app));
host.post('/post', express.raw(), serve.middleware(app));
host.get('/metrics', serve.metricsMiddleware());
host.get('/healthz', serve.healthMiddleware());
Router().use(serve.middleware(app)).get('/metrics', serve.metricsMiddleware());

createServer(serve.middleware(app)).listen(0);
createServer(serve.metricsMiddleware());
createServer(serve.healthMiddleware());

const middleware: ServeMiddleware = createServe().middleware(app, {
  name: 'speech',
  requestTimeoutMs: 1_000,
  passthrough: true,
  locals: (req: express.Request) => ({ user: req.get('x-user') }),
  call: (req) => ({ tenant: String(req.headers['x-tenant']), priority: 'critical' }),
});
export const isReady: Promise<void> = middleware.ready();

// @ts-expect-error not bound
serve.middleware(Ingress);
// @ts-expect-error no such option
serve.middleware(app, { limit: '1mb' });
// @ts-expect-error no such answer
serve.middleware(app, { onError: 'throw' });
// @ts-expect-error no such priority
serve.middleware(app, { call: () => ({ priority: 'high' }) });
// @ts-expect-error the request is typed
serve.middleware(app, { locals: (req) => req.nope });

const stop: () => void = serve.on('fault', (fault) => void fault);
stop();
// @ts-expect-error no such event
serve.on('faults', () => {});
