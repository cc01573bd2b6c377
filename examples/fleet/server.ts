import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { primes } from './models.ts';

// INSERVE_REDIS_URL and INSERVE_FLEET_SECRET make this process an instance of a fleet; without them it serves alone.
const port = Number(process.env['PORT'] ?? 3000);
const handle = await serve.run(primes, { name: 'primes' });

const app = express();
app.get('/primes/:limit', async (req, res) => {
  const limit = Math.min(1_000_000, Number(req.params.limit));
  res.json({ limit, primes: await handle.count.remote(limit) });
});
app.get('/status', (_req, res) => {
  res.json(serve.status());
});
app.get('/metrics', serve.metricsMiddleware());
app.get('/healthz', serve.healthMiddleware());

const server = app.listen(port, '127.0.0.1', (error) => {
  if (error) throw error;
  console.log(`Listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
