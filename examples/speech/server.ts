import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { serve } from 'inserve';
import { detector, speech } from './models.ts';

const port = Number(process.env['PORT'] ?? 3000);

const segmenter = serve.middleware(speech, { bodyLimit: '32mb' });
const voiceActivity = serve.handle(detector);

const app = express();
app.use('/speech', segmenter);
app.get('/silence', async (_req, res) => {
  // The model of /speech, called from a plain route: one second of silence, in which nobody speaks.
  res.json(await voiceActivity.detect.remote(new Float32Array(16_000)));
});
app.get('/metrics', serve.metricsMiddleware());
app.get('/healthz', (_req, res) => {
  res.sendStatus(serve.ready() ? 200 : 503);
});

const server = app.listen(port);

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });

try {
  await once(server, 'listening');
  await segmenter.ready();
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  console.log(`Listening on ${url}. Try, from the root of the repository:
curl --data-binary @examples/speech/fixtures/two-utterances.wav -H 'content-type: audio/wav' ${url}/speech`);
} catch (error) {
  const inUse = error instanceof Error && 'code' in error && error.code === 'EADDRINUSE';
  console.error(inUse ? `Port ${port} is in use; choose another one: PORT=${port + 1}` : error);
  // Not process.exit(): it would end a replica's thread within native code, which aborts the process.
  process.exitCode = 1;
  await serve.shutdown(server, { drainDelayMs: 0 });
}
