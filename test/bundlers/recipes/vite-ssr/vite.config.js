import { defineConfig } from 'vite';

export default defineConfig({
  // Packages of node_modules stay outside of a build for a server; a linked one is named here.
  ssr: { external: ['inserve'] },
  build: {
    ssr: true,
    rollupOptions: { input: ['src/server.ts', 'src/models.ts'] },
  },
});
