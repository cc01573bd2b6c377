/**
 * Checks that file tracers (`@vercel/nft`, with which Next, Nitro and serverless platforms copy what a program needs) find the files
 * that threads load: nothing imports those, so the tracer must recognise the URLs of their entries.
 */
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFileTrace } from '@vercel/nft';

/** Folders of `dist` by the file that starts a thread there. */
const FOLDERS = { 'worker.js': 'thread', 'fleet-thread.js': 'fleet' };

const root = fileURLToPath(new URL('..', import.meta.url));
const host = globSync('dist/*.js', { cwd: root })
  .map((file) => readFileSync(join(root, file), 'utf8'))
  .join('\n');
const { fileList } = await nodeFileTrace([join(root, 'dist', 'index.js')], {
  base: root,
  ignore: ['node_modules/**'],
});
const missing = Object.entries(FOLDERS)
  .filter(([entry]) => host.includes(entry))
  .flatMap(([, folder]) => globSync(`dist/${folder}/*.js`, { cwd: root }))
  .filter((file) => !fileList.has(file));
if (missing.length > 0 || !host.includes('worker.js')) {
  console.error(`File tracers that start at dist/index.js do not find: ${missing.join(', ')}`);
  process.exit(1);
}
