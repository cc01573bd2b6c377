import { inserve } from 'inserve/vite';
import { defineConfig } from 'vite';

export default defineConfig({
  build: { ssr: 'src/server.ts' },
  plugins: [inserve()],
});
