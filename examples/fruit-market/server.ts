import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { type ServeConfig, serve } from 'inserve';

const port = Number(process.env['PORT'] ?? 8000);
const file = process.env['CONFIG'] ?? `${import.meta.dirname}/serve.json`;

/** The config says what runs. Modules in it are relative to the working directory; here, to this file. */
async function deploy() {
  const { apps, ...rest } = JSON.parse(await readFile(file, 'utf8')) as ServeConfig;
  const located = apps.map((app) => ({ ...app, import: new URL(app.import, import.meta.url).href }));
  await serve.deploy({ apps: located, ...rest });
}

/** A config that is refused changes nothing: what ran before runs on. */
async function deployAgain() {
  try {
    await deploy();
    console.log('deployed the config');
  } catch (error) {
    console.error('refused the config:', error instanceof Error ? error.message : error);
  }
}

await deploy();
const app = express();
app.get('/status', (_req, res) => {
  res.json(serve.status());
});
app.use(serve.middleware()); // all apps of the config, by their route prefix
const server = app.listen(port, (error) => {
  if (error) throw error;
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  console.log(
    `Try: curl ${url}/market -H 'content-type: application/json' -d '{"fruit":"mango","amount":2}'`,
  );
  console.log(`Then change ${file} and: kill -HUP ${process.pid}`);
});
process.on('SIGHUP', deployAgain);

// Without a load balancer there is nothing to wait for.
serve.shutdown(server, { signals: ['SIGINT', 'SIGTERM'], drainDelayMs: 0 });
