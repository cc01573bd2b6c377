import middie from '@fastify/middie';
import fastify, { type FastifyInstance } from 'fastify';
import { fastifyServe } from 'inserve/fastify';
import { siteOf } from '../listen.ts';
import { type Framework, ROUTES, type Site } from '../site.ts';
import { JSON_RESULT } from '../work.ts';

/** The plugin. */
export const fastifySite: Framework = {
  plain: () => start(withJson(fastify())),

  async serve({ serve, apps }) {
    const app = fastify();
    for (const route of ROUTES)
      await app.register(fastifyServe, { serve, app: apps[route], prefix: `/${route}` });
    return start(app);
  },
};

/** The middleware, under `@fastify/middie`. */
export const middieSite: Framework = {
  plain: async () => start(withJson(await withMiddie())),

  async serve({ middleware }) {
    const app = await withMiddie();
    for (const route of ROUTES) app.use(`/${route}`, middleware[route]);
    return start(app);
  },
};

async function withMiddie(): Promise<FastifyInstance> {
  const app = fastify();
  await app.register(middie);
  return app;
}

function withJson(app: FastifyInstance): FastifyInstance {
  app.get('/json', async () => JSON_RESULT);
  return app;
}

async function start(app: FastifyInstance): Promise<Site> {
  await app.listen({ host: '127.0.0.1', port: 0 });
  return siteOf(app.server);
}
