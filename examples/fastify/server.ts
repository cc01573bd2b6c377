import type { AddressInfo } from 'node:net';
import fastify from 'fastify';
import { serve } from 'inserve';
import { fastifyServe } from 'inserve/fastify';
import { search } from './search.ts';

const app = fastify({ logger: { level: 'warn' } });

// In a scope of its own: hooks and keys of this scope hold for the app, and nowhere else.
await app.register(fastifyServe, {
  app: search,
  prefix: '/search',
  // What the client may have is the host's to say.
  locals: (request) => ({ limit: request.headers['x-plan'] === 'paid' ? 50 : 3 }),
});

const schema = {
  querystring: {
    type: 'object',
    required: ['q'],
    properties: { q: { type: 'string', minLength: 2 }, limit: { type: 'integer', minimum: 1, default: 10 } },
  },
} as const;

// A route of the host's own, with Fastify's validation, that calls a method of the deployment.
const index = serve.handle(search);
app.get<{ Querystring: { q: string; limit: number } }>('/files', { schema }, async ({ query }) => {
  const found = await index.find.remote(query.q, query.limit);
  return { files: [...new Set(found.map(({ file }) => file))] };
});
app.get('/metrics', async (_request, reply) => reply.type('text/plain').send(await app.serve.metrics()));

// Without a load balancer there is nothing to wait for. It closes the Fastify instance as well.
app.serve.shutdown(app, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });

await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) });
const { port } = app.server.address() as AddressInfo;
console.log(`Try: curl 'http://127.0.0.1:${port}/search?q=retry+budget'`);
