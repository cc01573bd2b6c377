import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  RegisterOptions,
} from 'fastify';
import { withoutSegments } from '../adapters/request/request-head.ts';
import { invalidOption } from '../errors.ts';
import { serve as defaultServe, type Serve } from '../index.ts';
import { within } from '../time/timeout.ts';
import { ReplyResponse } from './fastify-reply.ts';
import { type App, middlewareOf, type ShellOptions } from './shell-options.ts';

/** How long `fastify.ready()` waits for a replica to tell what its ingress answers, if the class does not show that, in ms. */
const FACE_MS = 5_000;

declare module 'fastify' {
  interface FastifyInstance {
    /** The serving instance behind `fastifyServe`. */
    serve: Serve;
  }
}

/** What `register(fastifyServe, …)` takes; `locals` and `call` are given Fastify's request. */
export interface FastifyServeOptions extends ShellOptions<FastifyRequest>, RegisterOptions {
  /** The app; it is served under `prefix`, below that of the scope it is registered in. Default: all running apps, by their `routePrefix`. */
  app?: App;
}

/**
 * An app as a Fastify plugin: `fastify.register(fastifyServe, { app: speech, prefix: '/speech' })`. Its routes live in a
 * scope of their own, below the prefix; `fastify.serve` is there for the scope that registered it and those within.
 * Answers go through `reply.send()`, so hooks of that scope hold, `onSend` included. `onError: 'next'` hands errors to
 * Fastify's error handler, `passthrough` what the app does not know to its 404 handler.
 *
 * `fastify.ready()` rejects with `SERVE_DEPLOY_FAILED` if the ingress of the app answers nothing.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`, also for a `serve` that is not the one which the scope has already
 */
export const fastifyServe: FastifyPluginAsync<FastifyServeOptions> = Object.assign(
  async (fastify: FastifyInstance, options: FastifyServeOptions) => {
    const { app, serve: given, prefix = '', logLevel: _1, logSerializers: _2, ...rest } = options;
    const serve = decorated(fastify, given);
    // Where WebSockets are to find it.
    const path = `${fastify.prefix}${prefix}` || '/';
    const middleware = middlewareOf(app, { ...(path.startsWith('/') ? { path } : {}), ...rest, serve });
    fastify.addHook('onReady', async () => {
      const exposable = middleware.exposable();
      const { pluginTimeout = 0 } = fastify.initialConfig;
      await Promise.race([exposable, within(Math.min(FACE_MS, pluginTimeout / 2 || FACE_MS), exposable)]);
    });
    fastify.register(async (scope) => {
      const depth = scope.prefix.split('/').filter(Boolean).length;
      const handler = (request: FastifyRequest, reply: FastifyReply): void =>
        middleware.handle({
          req: request.raw,
          res: new ReplyResponse(reply),
          url: withoutSegments(request.raw.url ?? '/', depth),
          originalUrl: request.raw.url ?? '/',
          context: request,
          body: request.body,
          next: (error) => void (error === undefined ? reply.callNotFound() : reply.send(error)),
          settled: undefined,
        });
      // The ingress reads the body itself, as a stream.
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
      if (depth > 0) scope.all('/', handler);
      scope.all('/*', handler);
    }, options);
  },
  {
    // What `fastify-plugin` would set: what is decorated here is there for those who registered us.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'inserve',
    [Symbol.for('plugin-meta')]: { name: 'inserve', fastify: '>=5' },
  },
);

/** The instance of a scope: the one that is given, that of the scope around it, or the default one. */
function decorated(fastify: FastifyInstance, given: Serve | undefined): Serve {
  const existing = fastify.hasDecorator('serve') ? fastify.serve : undefined;
  const serve = given ?? existing ?? defaultServe;
  if (serve === existing) return serve;
  if (Object.hasOwn(fastify, 'serve')) {
    throw invalidOption('fastifyServe.serve', serve, 'the instance that `fastify.serve` is already');
  }
  fastify.decorate('serve', serve);
  return serve;
}
