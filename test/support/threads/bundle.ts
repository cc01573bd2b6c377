/**
 * Bundles what replicas' threads load, once per run of the tests: a thread that loads the sources one by one takes 260 ms of
 * CPU to start, with the bundle it takes 70 ms, and the tests start hundreds of threads. The package has such a bundle
 * as well (scripts/build.mjs).
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build, type OutputFile } from 'esbuild';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** File that replicas' threads start with. */
    readonly threadEntry: string;
    /** File that fleet threads start with. */
    readonly fleetEntry: string;
  }
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const cache = join(root, 'node_modules', '.cache', 'test-threads');

export default async function setup(project: TestProject): Promise<void> {
  await provide(project);
  project.onTestsRerun(() => provide(project));
}

async function provide(project: TestProject): Promise<void> {
  const threadEntry = await bundleThreads();
  project.provide('threadEntry', threadEntry);
  // For programs that tests start; they inherit it.
  process.env['INSERVE_TEST_THREAD_ENTRY'] = threadEntry;
  project.provide('fleetEntry', await bundleFleetThread());
}

const BUNDLE = {
  absWorkingDir: root,
  outdir: 'out',
  write: false,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.18',
  packages: 'external',
  // package.json lists side effects of dist, not of the sources.
  ignoreAnnotations: true,
  logLevel: 'warning',
} as const;

async function bundleFleetThread(): Promise<string> {
  const entryPoints = { 'fleet-thread': 'src/cluster/fleet-thread.ts' };
  const { outputFiles } = await build({ ...BUNDLE, entryPoints });
  return join(install(outputFiles), 'fleet-thread.js');
}

async function bundleThreads(): Promise<string> {
  const { outputFiles } = await build({
    ...BUNDLE,
    entryPoints: { worker: 'test/support/threads/worker.ts', index: 'src/index.ts' },
    define: { SOURCE_INDEX: JSON.stringify(pathToFileURL(join(root, 'src', 'index.ts')).href) },
    plugins: [
      {
        name: 'without the host',
        setup({ onResolve }) {
          const path = join(root, 'src', 'replica', 'host-api.ts');
          onResolve({ filter: /^\.\/(?:default-)?serve\.ts$/ }, () => ({ path }));
        },
      },
    ],
  });
  return join(install(outputFiles), 'worker.js');
}

/** Another run may load the same files at this moment, so they appear complete, in a folder named by their contents. */
function install(files: readonly OutputFile[]): string {
  const hash = createHash('sha256');
  for (const { path, contents } of files) hash.update(basename(path)).update(contents);
  const folder = join(cache, hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;
  mkdirSync(dirname(folder), { recursive: true });
  const unfinished = mkdtempSync(`${folder}-`);
  for (const { path, contents } of files) writeFileSync(join(unfinished, basename(path)), contents);
  try {
    renameSync(unfinished, folder);
  } catch (error) {
    // Another run was faster.
    rmSync(unfinished, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}
