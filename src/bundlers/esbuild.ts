import { readFile } from 'node:fs/promises';
import { dirname, parse, relative, resolve, sep } from 'node:path';
import type { BuildOptions, Plugin, PluginBuild } from 'esbuild';
import { declaresDeployments, SOURCE_FILE } from './deployment-modules.ts';

/** An entry of a build: a path, or a path with the name of its output. */
type Entry = string | { in: string; out: string };

const NAME = 'inserve';

/**
 * A plugin for esbuild, and for tools that take its plugins: each module that declares deployments becomes an entry of its own, which
 * replicas import, and `inserve` stays outside of the bundle. The build needs `outdir` and the format `esm`, and gets `splitting`.
 *
 * @example
 * await build({ entryPoints: ['src/server.ts'], bundle: true, platform: 'node', format: 'esm', outdir: 'dist', plugins: [inserve()] });
 */
export function inserve(): Plugin {
  return {
    name: NAME,
    async setup({ initialOptions: options, esbuild }) {
      if (options.format !== 'esm' || options.outdir === undefined) {
        throw new Error("inserve/esbuild needs the options `format: 'esm'` and `outdir`");
      }
      options.external = [...(options.external ?? []), 'inserve', 'inserve/*'];
      options.splitting = true;
      const root = options.absWorkingDir ?? process.cwd();
      const entries = entriesOf(options);
      const files = entries.map((entry) => resolve(root, typeof entry === 'string' ? entry : entry.in));
      // The paths of the other outputs must not change with the entries that are added.
      const outbase = resolve(root, options.outbase ?? commonFolder(files));
      options.outbase = outbase;
      const found = await deploymentModules(options, esbuild);
      const added = [...found].filter((path) => !files.includes(path));
      options.entryPoints = [
        ...entries.map((entry, at) =>
          typeof entry === 'string' ? named(files[at] ?? entry, outbase) : entry,
        ),
        ...added.map((path) => named(path, outbase)),
      ];
    },
  };
}

/** Builds once without writing, to see which modules declare deployments. */
async function deploymentModules(
  options: BuildOptions,
  esbuild: PluginBuild['esbuild'],
): Promise<Set<string>> {
  const found = new Set<string>();
  const collector: Plugin = {
    name: `${NAME}-collector`,
    setup({ onLoad }) {
      onLoad({ filter: SOURCE_FILE, namespace: 'file' }, async ({ path }) => {
        const isSource = !path.includes(`${sep}node_modules${sep}`);
        if (isSource && declaresDeployments(await readFile(path, 'utf8'))) found.add(path);
        return undefined;
      });
    },
  };
  const others = (options.plugins ?? []).filter(({ name }) => name !== NAME);
  const plugins = [collector, ...others];
  // Faults of the sources are reported by the build itself.
  await esbuild.build({ ...options, write: false, logLevel: 'silent', plugins }).catch(() => {});
  return found;
}

function entriesOf({ entryPoints = [] }: BuildOptions): Entry[] {
  if (Array.isArray(entryPoints)) return [...entryPoints];
  return Object.entries(entryPoints).map(([out, path]) => ({ in: path, out }));
}

/** The longest path of a folder below which all files are. */
function commonFolder(files: readonly string[]): string {
  const paths = files.map((file) => dirname(file).split(sep));
  const [first = []] = paths;
  const differs = first.findIndex((part, at) => paths.some((path) => path[at] !== part));
  return (differs === -1 ? first : first.slice(0, differs)).join(sep) || sep;
}

/** An entry whose output lies in `outdir` as its source below `outbase`; one from elsewhere lies in `deployments`. */
function named(path: string, outbase: string): { in: string; out: string } {
  const { dir, name } = parse(relative(outbase, path));
  const folders = dir.startsWith('..') ? ['deployments'] : dir.split(sep).filter(Boolean);
  return { in: path, out: [...folders, name].join('/') };
}
