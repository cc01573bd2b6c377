import Koa from 'koa';
import mount from 'koa-mount';
import { listen } from '../listen.ts';
import { type Framework, ROUTES } from '../site.ts';
import { JSON_RESULT } from '../work.ts';

export const koaSite: Framework = {
  plain() {
    const app = new Koa();
    app.use(
      mount('/json', (ctx) => {
        ctx.body = JSON_RESULT;
      }),
    );
    return listen(app.callback());
  },

  serve({ middleware }) {
    const app = new Koa();
    for (const route of ROUTES) app.use(mount(`/${route}`, middleware[route]));
    return listen(app.callback());
  },
};
