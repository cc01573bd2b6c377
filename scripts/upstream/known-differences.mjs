/** Tests of the upstream suites that cannot pass with any middleware in front, `{ test: /name/, why }`. */
export const KNOWN = {
  express: [],
  koa: [
    {
      test: /should work with configurable compose/,
      why: 'it counts the middlewares of the app, of which ours is one',
    },
  ],
  fastify: [
    {
      test: /default clientError replies with bad request on reused keep-alive connection/,
      why: 'an app in front is asynchronous: the second request on the connection, which is malformed, is read before the first is answered',
    },
  ],
};
