import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { draw, randomFrom } from './drawing.ts';
import { onnx } from './onnx.ts';
import { plain } from './plain.ts';
import { tfjs } from './tfjs.ts';

const port = Number(process.env['PORT'] ?? 3000);

const app = express();
const routes = {
  '/onnx': serve.middleware(onnx),
  '/tfjs': serve.middleware(tfjs),
  '/plain': serve.middleware(plain),
};
for (const [path, middleware] of Object.entries(routes)) app.use(path, middleware);

/** Something to send: a drawing of a digit. */
app.get('/drawings/:digit', (req, res) => {
  const digit = Number(req.params.digit);
  if (!/^\d$/.test(req.params.digit)) res.sendStatus(404);
  else res.json({ pixels: draw(digit, randomFrom(digit)) });
});

app.get('/openapi.json', async (_req, res) => {
  res.json(await serve.openapi('OnnxDigits', { routePrefix: '/onnx' }));
});

await Promise.all(Object.values(routes).map((middleware) => middleware.ready()));
const server = app.listen(port, (error) => {
  if (error) throw error;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  console.log(
    `Try: curl -s ${url}/drawings/7 | curl -s -H 'content-type: application/json' -d @- ${url}/onnx`,
  );
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
