/** The classifier behind Express, with two replicas: `server.ts PORT plain|batched`. */
import express from 'express';
import { createServe, pythonDeployment } from 'inserve';

interface Classifier {
  predict(row: number[]): number;
  predict_many(row: number[]): number;
}

const [, , port, way = 'plain'] = process.argv;
const serve = createServe();
const classifier = pythonDeployment<Classifier, []>('./model.py:Classifier', {
  numReplicas: 2,
  maxOngoingRequests: 64,
  batch: { predict_many: { maxBatchSize: 32, batchWaitTimeoutMs: 2 } },
  module: import.meta.url,
});
const handle = await serve.run(classifier.bind(), { routePrefix: null });
const method = way === 'batched' ? handle.predict_many : handle.predict;

const app = express();
app.post('/predict', express.json(), async (req, res) => {
  res.json({ label: await method.remote(req.body as number[]) });
});
app.listen(Number(port), '127.0.0.1');
