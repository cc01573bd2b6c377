import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { counter } from './counter.ts';

let version = 0;

/** The same name again is an upgrade in place: the new replica is ready before the old one ends. */
const deploy = () =>
  serve.run(counter.options({ version: String(++version) }).bind(), {
    name: 'Counter',
    routePrefix: '/Counter',
  });

await deploy();
const app = express();
app.post('/deploy', async (_req, res) => {
  await deploy();
  res.json({ version });
});
app.use(serve.middleware()); // every running app, by its route prefix

const server = app.listen(Number(process.env['PORT'] ?? 8000), (error) => {
  if (error) throw error;
  const { port } = server.address() as AddressInfo;
  console.log(`Try: curl http://127.0.0.1:${port}/Counter/incr`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
