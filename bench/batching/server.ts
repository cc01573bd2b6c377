import { createServer } from 'node:http';
import { createServe, type DeploymentHandle } from 'inserve';
import { answer } from '../harness/answer.ts';
import { siteOf } from '../http/listen.ts';
import { type Model, ModelDeployment } from './deployments.ts';

/** A route that calls the model, as an app would write it: 64 requests at a time meet in its batches. */
const serve = createServe();
const handle: DeploymentHandle<typeof Model> = await serve.run(ModelDeployment.bind('adaptive'));
const server = createServer(async (_req, res) => {
  const text = JSON.stringify(await handle.double.remote(1));
  res.setHeader('content-type', 'application/json; charset=utf-8');
  res.setHeader('content-length', text.length);
  res.end(text);
});
const site = await siteOf(server.listen(0, '127.0.0.1'));

answer<'port', number>(
  async () => site.port,
  async () => {
    await site.close();
    await serve.close();
  },
);
