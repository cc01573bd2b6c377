import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { counter } from './counter.ts';

const port = Number(process.env['PORT'] ?? 8000);

const handle = serve.handle(counter);
const ingress = serve.middleware(counter);

const app = express();
app.get('/Counter', async (_req, res) => {
  res.json(await handle.get.remote());
});
app.get('/Counter/incr', async (_req, res) => {
  res.json(await handle.incr.remote());
});
app.get('/Counter/decr', async (_req, res) => {
  res.json(await handle.decr.remote());
});
app.use('/Counter', ingress); // what is left, such as POST /Counter, goes to `call`

await ingress.ready();
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Try: curl http://127.0.0.1:${(server.address() as AddressInfo).port}/Counter/incr`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
