import { createServer } from 'node:http';
import { join } from 'node:path';
import { createServe } from 'inserve';
import { search } from './models.ts';

const serve = createServe({
  workerEntry: join(import.meta.dirname, 'worker.js'),
  fleetEntry: join(import.meta.dirname, 'fleet-thread.js'),
  redis: process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379',
  fleet: { secret: process.env['FLEET_SECRET'] ?? 'only for the recipe, 32 bytes and more' },
});
// A Redis that is away is no reason to end: the instance serves alone until it is there.
serve.on('fault', ({ reason, error }) => {
  console.error(reason, error);
  if (reason.startsWith('the fleet thread')) process.exit(1);
});
const answer = serve.middleware(search);
const server = createServer((req, res) => {
  if (req.url !== '/instances') answer(req, res);
  else res.end(String(serve.status().instances.filter(({ state }) => state === 'UP').length));
});
server.listen(Number(process.env['PORT'] ?? 3000));
process.once('SIGTERM', () => {
  server.close();
  void serve.close();
});
