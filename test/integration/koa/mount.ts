import Koa from 'koa';
import mount from 'koa-mount';
import { listen } from '../../support/http/listen.ts';
import type { Mount } from '../every-framework/suites.ts';
import { bodyParser } from './body-parser.ts';

export const mountKoa: Mount = ({ serve, app, options, path = '/', behind = false }) => {
  const host = new Koa();
  // What the default listener would print.
  host.silent = true;
  const middleware = serve.middleware(app, options);
  host.use(path === '/' ? middleware : mount(path, middleware));
  if (behind) {
    host.use(bodyParser());
    host.use((ctx) => {
      ctx.body = { behind: Reflect.get(ctx.request, 'body') ?? null };
    });
  }
  return listen(host.callback());
};
