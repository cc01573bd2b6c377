import type { AddressInfo } from 'node:net';
import express, { type Response } from 'express';
import { ServeError, serve } from 'inserve';
import { addon, measure } from './deployments.ts';

const port = Number(process.env['PORT'] ?? 8000);

const [measuring, halving] = await Promise.all([
  serve.run(measure, { routePrefix: null }),
  serve.run(addon, { routePrefix: null }),
]);

/** Answers with the result, or with the way in which the process ended. */
async function answer(res: Response, call: Promise<unknown>): Promise<void> {
  try {
    res.json({ result: await call });
  } catch (error) {
    if (!(error instanceof ServeError)) throw error;
    const { signal } = (error.cause ?? {}) as { signal?: string };
    res.status(error.statusCode).json({ code: error.code, signal });
  }
}

const app = express();
app.get('/bytes/:text', (req, res) => answer(res, measuring.bytes_of.remote(req.params.text)));
app.get('/bytes', (_req, res) => answer(res, measuring.bytes_of.remote(null)));
app.get('/half/:number', (req, res) => answer(res, halving.half.remote(Number(req.params.number))));

const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Try: curl http://127.0.0.1:${(server.address() as AddressInfo).port}/bytes`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
