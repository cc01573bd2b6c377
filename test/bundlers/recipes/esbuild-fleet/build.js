import { build } from 'esbuild';

await build({
  entryPoints: [
    'src/server.ts',
    'src/models.ts',
    { in: 'inserve/worker', out: 'worker' },
    { in: 'inserve/fleet-thread', out: 'fleet-thread' },
  ],
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  outdir: 'dist',
  // Some dependencies are CommonJS, and require built-in modules.
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
});
