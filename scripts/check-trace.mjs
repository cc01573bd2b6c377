/**
 * Checks that file tracers (`@vercel/nft`, with which Next, Nitro and serverless platforms copy what a program needs) find the files
 * that threads load: nothing imports those, so the tracer must recognise the URLs of their entries.
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeFileTrace } from '@vercel/nft';

const root = fileURLToPath(new URL('..', import.meta.url));
const { fileList } = await nodeFileTrace([join(root, 'dist', 'index.js')], {
  base: root,
  ignore: ['node_modules/**'],
});
const missing = ['thread', 'fleet']
  .flatMap((folder) => readdirSync(join(root, 'dist', folder)).map((file) => join('dist', folder, file)))
  .filter((file) => !fileList.has(file));
if (missing.length > 0) {
  console.error(`File tracers that start at dist/index.js do not find: ${missing.join(', ')}`);
  process.exit(1);
}
