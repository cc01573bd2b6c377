import type { AddressInfo } from 'node:net';
import middie from '@fastify/middie';
import fastify, { type FastifyInstance } from 'fastify';
import { type FastifyServeOptions, fastifyServe } from '../../../src/shells/fastify.ts';
import type { Mount, Mounted } from '../every-framework/suites.ts';

export const mountMiddie: Mount = async ({ serve, app, options, path = '/', behind = false }) => {
  const host = makeHost();
  await host.register(middie);
  const middleware = serve.middleware(app, options);
  if (path === '/') host.use(middleware);
  else host.use(path, middleware);
  if (behind) host.all('/*', ({ body }) => Promise.resolve({ behind: body ?? null }));
  return start(host);
};

export const mountPlugin: Mount = async ({ serve, app, options, path = '/', behind = false }) => {
  const host = makeHost();
  // Beyond those that Fastify knows by itself.
  host.addHttpMethod('PROPFIND', { hasBody: true });
  const prefix = path === '/' ? {} : { prefix: path };
  // The hooks of the suites look at what both kinds of requests have.
  const { locals, call, ...rest } = options ?? {};
  const hooks = { locals, call } as unknown as FastifyServeOptions;
  await host.register(fastifyServe, { ...rest, ...hooks, ...prefix, serve, app });
  if (behind) {
    host.setNotFoundHandler(async ({ body, raw }, reply) => {
      let text = '';
      if (body === raw) for await (const chunk of raw) text += chunk;
      return reply.code(200).send({ behind: text === '' ? null : JSON.parse(text) });
    });
  }
  return start(host);
};

export function makeHost(): FastifyInstance {
  // Fastify's own default is none, which is warned of.
  return fastify({ forceCloseConnections: true, requestTimeout: 60_000 });
}

export async function start(host: FastifyInstance): Promise<Mounted> {
  await host.listen({ host: '127.0.0.1', port: 0 });
  const { port } = host.server.address() as AddressInfo;
  return { port, [Symbol.asyncDispose]: async () => void (await host.close()) };
}
