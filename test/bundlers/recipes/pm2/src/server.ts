import { createServer } from 'node:http';
import { serve } from 'inserve';
import { search } from './models.ts';

const server = createServer(serve.middleware(search));
server.listen(Number(process.env['PORT'] ?? 3000));
process.once('SIGINT', async () => {
  server.close();
  await serve.close();
  process.exit();
});
