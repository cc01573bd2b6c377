/**
 * Compiles `src` to `dist` and bundles it: what a host imports in `dist`, what replicas' threads load in `dist/thread`. Skipped
 * when nothing changed since the last time.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const stamp = join(dist, '.built-from');

/** Paths, sizes and times of everything that the output depends on. */
function fingerprint() {
  const inputs = [
    ...['src', 'python']
      .flatMap((folder) => readdirSync(join(root, folder), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !entry.name.endsWith('.pyc'))
      .map(({ parentPath, name }) => relative(root, join(parentPath, name))),
    'tsconfig.json',
    'tsconfig.build.json',
    'package-lock.json',
    'scripts/build.mjs',
  ];
  return inputs
    .sort()
    .map((file) => {
      const { size, mtimeMs } = statSync(join(root, file));
      return `${file} ${size} ${mtimeMs}`;
    })
    .join('\n');
}

function built() {
  try {
    return readFileSync(stamp, 'utf8');
  } catch {
    return '';
  }
}

const BUNDLE = {
  absWorkingDir: dist,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22.18',
  packages: 'external',
  minifySyntax: true,
  logLevel: 'warning',
};

/** One chunk for both entries, so that the worker and the user's modules share its state. */
async function bundleThread() {
  await build({
    ...BUNDLE,
    entryPoints: { worker: 'isolation/thread/bundled-worker.js', index: 'index.js' },
    outdir: 'thread',
    // The source stays in the memory of each thread.
    minifyWhitespace: true,
    plugins: [
      {
        name: 'without the host',
        setup({ onResolve }) {
          const path = join(dist, 'replica', 'host-api.js');
          onResolve({ filter: /^\.\/(?:default-)?serve\.js$/ }, () => ({ path }));
        },
      },
    ],
  });
}

/**
 * The fleet thread loads one file, and no user code. Short names take 128 kB less; public methods keep theirs, so that a stack
 * still tells the way.
 */
async function bundleFleet() {
  await build({
    ...BUNDLE,
    entryPoints: { 'fleet-thread': 'cluster/fleet-thread.js' },
    outdir: 'fleet',
    minifyWhitespace: true,
    minifyIdentifiers: true,
  });
}

/**
 * A host that imports some files in place of 320 starts 70 ms sooner and is 15 MiB smaller. Its lines are short: Node prints the
 * line of an error that nobody catches. The driver of graphs is an entry of its own, since threads import it as a user's module;
 * the instance itself is one for the benchmark of fleets.
 */
async function bundleHost() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const entryPoints = Object.values(exports)
    .flatMap((entry) => (typeof entry === 'object' ? [relative(dist, join(root, entry.default))] : []))
    // That of the fleet thread is bundled already.
    .filter((path) => dirname(path) !== 'fleet');
  const outdir = join(dist, '.bundle');
  await build({
    ...BUNDLE,
    entryPoints: [...entryPoints, 'graph/driver.js', 'serve.js', 'cli/main.js'],
    outbase: dist,
    outdir,
    minifyWhitespace: true,
    lineLimit: 240,
  });
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    const isBundled = [outdir, join(dist, 'thread'), join(dist, 'fleet')].some((folder) =>
      entry.parentPath.startsWith(folder),
    );
    if (entry.isFile() && file.endsWith('.js') && !isBundled) rmSync(file);
  }
  cpSync(outdir, dist, { recursive: true });
  rmSync(outdir, { recursive: true });
}

/** Modules of users are imported by Node itself, also where a bundler has taken the package into its bundle. */
function ignoreComputedImports() {
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (!entry.isFile() || !file.endsWith('.js')) continue;
    const code = readFileSync(file, 'utf8');
    const ignored = code.replaceAll(
      /\bimport\((?=[\w$])/g,
      'import(/* webpackIgnore: true */ /* @vite-ignore */ ',
    );
    if (ignored !== code) writeFileSync(file, ignored);
  }
}

/** What users read are the declarations; without comments the code is a fifth smaller, in the package and in each thread. */
function compile() {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  for (const output of [['--emitDeclarationOnly'], ['--removeComments', '--declaration', 'false']]) {
    const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...output], {
      cwd: root,
      stdio: 'inherit',
    });
    if (status !== 0) process.exit(status ?? 1);
  }
}

/** Declarations of files that no public one leads to are of no use to anybody. */
function pruneDeclarations() {
  const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(
      /(?:from |import\(|import )['"](\.[^'"]+)['"]/g,
    ))
      visit(join(dirname(file), specifier.replace(/\.[jt]s$/, '.d.ts')));
  };
  for (const { types } of Object.values(exports)) if (types !== undefined) visit(join(root, types));
  for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
    const file = join(entry.parentPath, entry.name);
    if (entry.isFile() && file.endsWith('.d.ts') && !reached.has(file)) rmSync(file);
  }
}

/** The program that Python replicas run is shipped as it is. */
function copyPython() {
  const filter = (file) => !file.endsWith('__pycache__');
  cpSync(join(root, 'python'), join(dist, 'python'), { recursive: true, filter });
}

const now = fingerprint();
if (built() !== now) {
  rmSync(dist, { recursive: true, force: true });
  compile();
  pruneDeclarations();
  await bundleThread();
  await bundleFleet();
  await bundleHost();
  ignoreComputedImports();
  copyPython();
  mkdirSync(dist, { recursive: true });
  writeFileSync(stamp, now);
}
