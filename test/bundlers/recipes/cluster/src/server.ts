import cluster from 'node:cluster';
import { createServer } from 'node:http';
import { serve } from 'inserve';
import { search } from './models.ts';

if (cluster.isPrimary) {
  // Each process has replicas of its own: divide their number by that of the processes.
  for (let i = 0; i < 2; i++) cluster.fork();
  process.once('SIGTERM', () => {
    for (const worker of Object.values(cluster.workers ?? {})) worker?.kill('SIGTERM');
  });
} else {
  const server = createServer(serve.middleware(search));
  server.listen(Number(process.env['PORT'] ?? 3000));
  process.once('SIGTERM', async () => {
    server.close();
    await serve.close();
    cluster.worker?.disconnect();
  });
}
