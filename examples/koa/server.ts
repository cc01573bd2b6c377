import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import Router from '@koa/router';
import { serve } from 'inserve';
import { koaServe } from 'inserve/koa';
import Koa from 'koa';
import { tiles } from './tiles.ts';

const page = readFileSync(new URL('page.html', import.meta.url), 'utf8');
const delay = monitorEventLoopDelay({ resolution: 5 });
delay.enable();

const router = new Router();
router.get('/', (ctx) => {
  ctx.type = 'html';
  ctx.body = page;
});
router.get('/lag', (ctx) => {
  ctx.body = (delay.percentile(99) / 1e6).toFixed(1);
  delay.reset();
});
// Parameters of the route are in the replica's `context()`.
router.get('/tiles/:z/:x/:y.png', koaServe(tiles));

const app = new Koa().use(router.routes());
const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`Open http://127.0.0.1:${port}`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
