import { Readable } from 'node:stream';
import Router from '@koa/router';
import Koa from 'koa';
import mount from 'koa-mount';
import { listen } from '../../support/http/listen.ts';
import { bodyParser } from '../koa/body-parser.ts';
import { type BuildHost, chunks, differential, LARGE } from './suite.ts';

const build: BuildHost = (ours, onLeft) => {
  const host = new Koa();
  host.silent = true;
  if (ours !== undefined) host.use(ours.path === '/' ? ours.middleware : mount(ours.path, ours.middleware));
  const uploads = new Router().post('/upload', async (ctx) => {
    let length = 0;
    for await (const chunk of ctx.req) length += chunk.length;
    ctx.body = { length, trailers: ctx.req.trailers };
  });
  const router = new Router();
  router.all('/echo{/*rest}', (ctx) => {
    const { method, originalUrl, url, path, query, params, ip, respond } = ctx;
    const { rawHeaders } = ctx.req;
    ctx.body = {
      method,
      originalUrl,
      url,
      path,
      query,
      params,
      ip,
      respond,
      rawHeaders,
      body: Reflect.get(ctx.request, 'body'),
    };
  });
  router.all('/status/:code', (ctx) => {
    ctx.status = Number(ctx.params['code']);
    ctx.set('etag', '"e"');
  });
  router.get('/headers', (ctx) => {
    ctx.set('set-cookie', ['a=1', 'b=2']);
    ctx.vary('x');
    ctx.set('x-request-id', 'own');
    ctx.body = 'headers';
  });
  router.get('/bytes', (ctx) => {
    ctx.body = Buffer.from([0, 255, 10]);
  });
  router.get('/large', (ctx) => {
    ctx.body = LARGE;
  });
  router.get('/empty', (ctx) => {
    ctx.body = null;
  });
  router.get('/streams', (ctx) => {
    ctx.body = Readable.from(chunks('ends'));
  });
  router.get('/moved', (ctx) => ctx.redirect('/echo'));
  router.get('/throws', () => {
    throw new Error('secret');
  });
  router.get('/throws-418', (ctx) => ctx.throw(418, 'tea'));
  router.get('/breaks', (ctx) => {
    ctx.body = Readable.from(chunks('breaks'));
  });
  router.get('/waits', (ctx) => {
    ctx.res.on('close', onLeft);
    const body = new Readable({ read() {} });
    body.push('waiting');
    ctx.body = body;
  });
  host.use(uploads.routes());
  host.use(bodyParser({ enableTypes: ['json', 'form', 'text'] }));
  host.use(router.routes()).use(router.allowedMethods());
  return listen(host.callback());
};

differential('Koa', build);
