import { build } from 'esbuild';
import { inserve } from 'inserve/esbuild';

await build({
  entryPoints: ['src/server.ts'],
  bundle: true,
  minify: true,
  platform: 'node',
  target: 'node22',
  format: 'esm',
  outdir: 'dist',
  plugins: [inserve()],
});
