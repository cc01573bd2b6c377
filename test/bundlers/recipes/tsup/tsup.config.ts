import { defineConfig } from 'tsup';

// Dependencies of package.json stay outside of the bundle by default.
export default defineConfig({
  entry: ['src/server.ts', 'src/models.ts'],
  format: 'esm',
  splitting: true,
  minify: true,
  target: 'node22',
});
