import { createServer } from 'node:http';
import { search } from '@app/models';
import { serve } from 'inserve';

const server = createServer(serve.middleware(search));
server.listen(Number(process.env['PORT'] ?? 3000));
process.once('SIGTERM', () => {
  server.close();
  void serve.close();
});
