import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

// Threads start from files: the app, its deployments and the worker stay beside the executable.
await build({
  entryPoints: ['src/server.ts', 'src/models.ts', { in: 'inserve/worker', out: 'worker' }],
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  outdir: 'bin/app',
  banner: {
    js: "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);",
  },
});
writeFileSync('bin/app/package.json', '{ "type": "module" }');

mkdirSync('build', { recursive: true });
writeFileSync(
  'build/sea.json',
  JSON.stringify({ main: 'src/main.cjs', output: 'build/sea.blob', disableExperimentalSEAWarning: true }),
);
execFileSync(process.execPath, ['--experimental-sea-config', 'build/sea.json']);
copyFileSync(process.execPath, 'bin/search');
const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';
execFileSync('postject', ['bin/search', 'NODE_SEA_BLOB', 'build/sea.blob', '--sentinel-fuse', fuse]);
