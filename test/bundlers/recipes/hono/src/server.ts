import { type HttpBindings, serve as listen } from '@hono/node-server';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { Hono } from 'hono';
import { serve } from 'inserve';
import { search } from './models.ts';

const answer = serve.middleware(search);
const app = new Hono<{ Bindings: HttpBindings }>();
app.all('/', ({ env }) => {
  answer(env.incoming, env.outgoing);
  return RESPONSE_ALREADY_SENT;
});

const server = listen({ fetch: app.fetch, port: Number(process.env['PORT'] ?? 3000) });
process.once('SIGTERM', () => {
  server.close();
  void serve.close();
});
