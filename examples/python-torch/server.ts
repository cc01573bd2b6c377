import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { xor } from './deployments.ts';

const port = Number(process.env['PORT'] ?? 8000);

const handle = await serve.run(xor, { routePrefix: null });

const app = express();
app.get('/xor/:a/:b', async (req, res) => {
  const data = Float32Array.of(Number(req.params.a), Number(req.params.b));
  const [probability] = (await handle.predict.remote({
    dtype: 'float32',
    shape: [1, 2],
    data,
  })) as Float32Array;
  res.json({ probability });
});

const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Try: curl http://127.0.0.1:${(server.address() as AddressInfo).port}/xor/1/0`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
