import { createServer } from 'node:http';
import middie from '@fastify/middie';
import express from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import {
  type BoundDeployment,
  batch,
  createServe,
  type DeploymentHandle,
  dag,
  deployment,
  describeGraph,
  type Serve,
  type ServerWebSocket,
  serve,
} from 'inserve';
import { expressServe } from 'inserve/express';
import { fastifyServe } from 'inserve/fastify';
import { koaServe } from 'inserve/koa';
import { nodeServe } from 'inserve/node';
import Koa, { type Context } from 'koa';
import mount from 'koa-mount';

declare class Ingress {
  call(request: Request): Promise<Response>;
}
declare const app: BoundDeployment<typeof Ingress>;

// The one middleware fits everywhere.
new Koa().use(serve.middleware()).use(mount('/speech', serve.middleware(app, { onError: 'next' })));
// A hook may ask for what its framework gives it.
new Koa().use(serve.middleware(app, { locals: (ctx: Context) => ctx.state['user'] }));
const withMiddie = fastify();
await withMiddie.register(middie);
withMiddie.use(serve.middleware(app)).use('/speech', serve.middleware('speech'));

const withOptions = { serve: createServe(), name: 'speech', passthrough: true, bodyLimit: '2mb' } as const;
express().use(expressServe()).use('/speech', expressServe(app, withOptions));
express().post('/a', expressServe('speech', { locals: (req) => req.get('x-user') }));
export const isReady: Promise<void> = expressServe(app).ready();

new Koa().use(koaServe()).use(mount('/speech', koaServe(app, withOptions)));
new Koa().use(koaServe('speech', { call: (ctx) => ({ tenant: String(ctx.state['tenant']) }) }));
createServer(nodeServe(app, { locals: (req) => req.socket.remoteAddress }));
createServer(nodeServe()).listen(0);

const host = fastify();
await host.register(fastifyServe, { app, prefix: '/speech', logLevel: 'warn', ...withOptions });
await host.register(fastifyServe);
await host.register(fastifyServe, {
  app: 'speech',
  locals: (request) => request.headers,
  call: (request: FastifyRequest) => ({ tenant: request.ip }),
});
export const decorated: Serve = host.serve;

// An app that answers nothing can run, and cannot be exposed.
class Worker {
  work(): number {
    return 1;
  }
}
class Talker {
  websocket(socket: ServerWebSocket): void {
    socket.close();
  }
}
class Batched {
  call = batch({}, async (requests: Request[]) => requests.map((request) => request.url));
}
const worker = deployment(Worker).bind();
serve.handle(worker).work.remote();
export const running: Promise<DeploymentHandle<Worker>> = serve.run(worker);
// @ts-expect-error it has neither call, fetch nor websocket
serve.middleware(worker);
// @ts-expect-error the same
expressServe(worker);
// @ts-expect-error the same
koaServe(worker);
// @ts-expect-error the same
nodeServe(worker);
// @ts-expect-error the same
void host.register(fastifyServe, { app: worker });

expressServe(deployment(Talker).bind());
koaServe(deployment(Batched).bind());
nodeServe(
  deployment(function answer(request: Request) {
    return request.url;
  }).bind(),
);
void host.register(fastifyServe, { app: deployment(Talker).bind() });
serve.middleware(dag(() => worker.work.bind()));
declare const unknownApp: BoundDeployment<unknown>;
void host.register(fastifyServe, { app: unknownApp });
const anyDeployment: BoundDeployment<unknown> = worker;
serve.middleware(anyDeployment);
export function described<T>(bound: BoundDeployment<T>): unknown {
  return describeGraph(bound);
}

// @ts-expect-error not bound
expressServe(Ingress);
// @ts-expect-error no such option
koaServe(app, { limit: 1 });
// @ts-expect-error Express' request has no such member
expressServe(app, { locals: (req) => req.nope });
// @ts-expect-error no such answer
void host.register(fastifyServe, { app, onError: 'throw' });
// @ts-expect-error no app
void host.register(fastifyServe, { app: 42 });
