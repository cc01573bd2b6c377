import { Readable } from 'node:stream';
import middie from '@fastify/middie';
import type { FastifyInstance } from 'fastify';
import { fastifyServe } from '../../../src/shells/fastify.ts';
import { makeHost, start } from '../fastify/mount.ts';
import { type BuildHost, chunks, differential, LARGE, type Ours } from './suite.ts';

async function build(
  ours: Ours | undefined,
  onLeft: () => void,
  put: (host: FastifyInstance, ours: Ours) => unknown,
) {
  const host = makeHost();
  await host.register(middie);
  if (ours !== undefined) await put(host, ours);
  host.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  host.all('/upload', async ({ body, raw }) => {
    let length = 0;
    for await (const chunk of body as Readable) length += chunk.length;
    return { length, trailers: raw.trailers };
  });
  for (const path of ['/echo', '/echo/*']) {
    host.all(path, async ({ method, url, originalUrl, query, params, raw, body }) => {
      const { rawHeaders } = raw;
      const parsed = body instanceof Readable ? 'a stream' : body;
      return { method, url, originalUrl, query, params, rawHeaders, parsed };
    });
  }
  host.all<{ Params: { code: string } }>('/status/:code', (request, reply) =>
    reply.code(Number(request.params.code)).header('etag', '"e"').send(),
  );
  host.get('/headers', async (_request, reply) => {
    reply
      .header('set-cookie', 'a=1')
      .header('set-cookie', 'b=2')
      .header('vary', 'x')
      .header('x-request-id', 'own');
    return 'headers';
  });
  host.get('/bytes', async () => Buffer.from([0, 255, 10]));
  host.get('/large', async () => LARGE);
  host.get('/empty', (_request, reply) => reply.send());
  host.get('/streams', async () => Readable.from(chunks('ends')));
  host.get('/moved', (_request, reply) => reply.redirect('/echo'));
  host.get('/throws', async () => {
    throw new Error('not so secret');
  });
  host.get('/throws-418', async () => {
    throw Object.assign(new Error('tea'), { statusCode: 418 });
  });
  host.get('/breaks', async () => Readable.from(chunks('breaks')));
  host.get('/waits', async (_request, reply) => {
    reply.raw.on('close', onLeft);
    const body = new Readable({ read() {} });
    body.push('waiting');
    return body;
  });
  return start(host);
}

const underMiddie: BuildHost = (ours, onLeft) =>
  build(ours, onLeft, (host, { path, middleware }) =>
    path === '/' ? host.use(middleware) : host.use(path, middleware),
  );

const asPlugin: BuildHost = (ours, onLeft) =>
  build(ours, onLeft, (host, { serve, app, options: { passthrough }, path }) =>
    host.register(fastifyServe, {
      serve,
      app,
      prefix: path,
      ...(passthrough === undefined ? {} : { passthrough }),
    }),
  );

differential('middie', underMiddie);
differential('Fastify', asPlugin);
