import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import express from 'express';
import { serve } from 'inserve';
import { chat, languageModel } from './models.ts';

const port = Number(process.env['PORT'] ?? 8000);
const page = fileURLToPath(new URL('page.html', import.meta.url));

const app = express();
const ingress = serve.middleware(chat, { path: '/chat' });
const model = serve.handle(languageModel);

app.get('/', (_req, res) => res.sendFile(page));
app.get('/stats', async (_req, res) => {
  res.json(await model.stats.remote());
});
app.use('/chat', ingress);

await ingress.ready();
const server = app.listen(port, (error) => {
  if (error) throw error;
  console.log(`Open http://127.0.0.1:${(server.address() as AddressInfo).port}/ in a browser`);
});
serve.attachWebSocket(server);

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
