import { createServer } from 'node:http';
import { join } from 'node:path';
import { createServe } from 'inserve';
import { search } from './models.ts';

// The chunks of the bundle lie in one folder.
const serve = createServe({ workerEntry: join(import.meta.dirname, 'worker.js') });
const server = createServer(serve.middleware(search));
server.listen(Number(process.env['PORT'] ?? 3000));
process.once('SIGTERM', () => {
  server.close();
  void serve.close();
});
