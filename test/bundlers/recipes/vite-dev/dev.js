import { createServer } from 'vite';

const vite = await createServer({ server: { middlewareMode: true }, appType: 'custom', logLevel: 'warn' });
process.once('SIGTERM', () => vite.close());
await vite.ssrLoadModule('/src/server.ts');
