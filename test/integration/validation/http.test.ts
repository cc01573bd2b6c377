import express from 'express';
import Koa from 'koa';
import mount from 'koa-mount';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { classifier } from '../../fixtures/http/schemas.ts';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { bodyParser } from '../koa/body-parser.ts';

/** Behind parsers; what holds in every framework is in `conformance/validation.ts`. */
describe('an ingress with a schema, behind a body parser', () => {
  let serve: ReturnType<typeof quietServe>;
  beforeAll(async () => {
    serve = quietServe();
    await serve.run(classifier.bind());
  });
  afterAll(() => serve.close());

  const hosts = {
    Express: () =>
      express().use('/classify', express.json({ strict: false }), serve.middleware('Classifier')),
    Koa: () =>
      new Koa()
        .use(bodyParser())
        .use(mount('/classify', serve.middleware('Classifier')))
        .callback(),
  };

  test.each(Object.entries(hosts))(
    '%s: the value of the parser is what the schema sees',
    async (_name, host) => {
      await using server = await listen(host());
      const post = (body: unknown) =>
        send(server.port, '/classify', {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
      const answer = await post({ text: 'a b c d', more: true });
      expect(json(answer)).toEqual({ words: ['a', 'b', 'c'] });
      const refused = await post({ text: '', top: 'x' });
      expect(json(refused)).toMatchObject({
        status: 422,
        code: 'SERVE_VALIDATION',
        issues: [{ path: ['text'] }, { path: ['top'] }],
      });
    },
  );
});
