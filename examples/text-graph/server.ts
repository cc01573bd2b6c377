import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve, toMermaid } from 'inserve';
import { analyse } from './models.ts';

const port = Number(process.env['PORT'] ?? 3000);

const graph = serve.middleware(analyse, { bodyLimit: '128kb' });
const handle = serve.handle(analyse);

const app = express();
app.use('/analyse', graph);
app.get('/mood', async (req, res) => {
  // The same graph, called from a plain route.
  const { sentiment, language } = await handle.predict.remote({ text: String(req.query['text'] ?? '') });
  res.json({ mood: sentiment === null ? 'unknown' : sentiment.score < 0 ? 'bad' : 'good', language });
});
app.get('/graph', (_req, res) => {
  res.type('text/plain').send(toMermaid(analyse));
});

await graph.ready();
const server = app.listen(port, (error) => {
  if (error) throw error;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  console.log(`Try: curl ${url}/analyse --json '{"text":"I love it! It cost me $450 on January 20, 2024."}'`);
});

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
