import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { flowers } from './deployments.ts';

const port = Number(process.env['PORT'] ?? 8000);

const handle = serve.handle(flowers);

const app = express();
app.use(express.json());
app.post('/classify', async (req, res) => {
  res.json(await handle.classify.remote(req.body));
});

// Deploys now, not with the first request: the model is trained when its replicas start.
await serve.run(flowers, { routePrefix: null });
const server = app.listen(port, (error) => {
  if (error) throw error;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/classify`;
  const flower = '{"sepalLength":5.1,"sepalWidth":3.5,"petalLength":1.4,"petalWidth":0.2}';
  console.log(`Try: curl ${url} -H 'content-type: application/json' -d '${flower}'`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
