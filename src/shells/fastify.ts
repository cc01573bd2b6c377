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

/** Time for which `fastify.ready()` waits for a replica to report what its ingress answers, if its class does not show it, in ms. */
const FACE_MS = 5_000;

declare module 'fastify' {
  interface FastifyInstance {
    /** The serving instance behind `fastifyServe`. */
    serve: Serve;
  }
}

/** Options of `register(fastifyServe, …)`. The hooks `locals` and `call` get Fastify's request. */
export interface FastifyServeOptions extends ShellOptions<FastifyRequest>, RegisterOptions {
  /** The app, which is served under `prefix` within the prefix of the scope. Default: all running apps, by their `routePrefix`. */
  app?: App;
}

/**
 * An app as a Fastify plugin: `fastify.register(fastifyServe, { app: speech, prefix: '/speech' })`. Its routes live in a
 * scope of their own, below the prefix; `fastify.serve` is available in the scope that registered it and in nested ones.
 * Answers go through `reply.send()`, so hooks of that scope apply, including `onSend`. `onError: 'next'` hands errors to
 * Fastify's error handler, `passthrough` hands requests that the app answers with 404 to its 404 handler.
 *
 * `fastify.ready()` rejects with `SERVE_DEPLOY_FAILED` if the ingress of the app answers no requests.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`, also for a `serve` other than that of the scope
 */
export const fastifyServe: FastifyPluginAsync<FastifyServeOptions> = Object.assign(
  async (fastify: FastifyInstance, options: FastifyServeOptions) => {
    const { app, serve: given, prefix = '', logLevel: _1, logSerializers: _2, ...rest } = options;
    const serve = decorated(fastify, given);
    // The path by which WebSockets find the app.
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
    // `fastify-plugin` would set this: decorations become visible in the scope that registered the plugin.
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: 'inserve',
    [Symbol.for('plugin-meta')]: { name: 'inserve', fastify: '>=5' },
  },
);

/** The instance of a scope: the given one, that of the enclosing scope, or the default one. */
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
