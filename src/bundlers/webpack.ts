import { parse } from 'node:path';
import { declaresDeployments, OWN_SPECIFIER, SOURCE_FILE } from './deployment-modules.ts';

/** Options of an entry. */
interface EntryOptions {
  name?: string | undefined;
  runtime?: string | false | undefined;
  dependOn?: string[] | undefined;
}

/** The part of a module of webpack that is used. */
interface WebpackModule {
  readonly resource?: string;
  originalSource?(): { source(): string | Buffer } | null;
}

/** The part of a compilation of webpack that is used. */
interface Compilation {
  readonly modules: Iterable<WebpackModule>;
  readonly entries: ReadonlyMap<string, { readonly options: EntryOptions }>;
  addEntry(
    context: string,
    dependency: object,
    options: EntryOptions,
    done: (error?: Error | null) => void,
  ): void;
}

/** The part of a compiler of webpack that is used. */
interface Compiler {
  readonly context: string;
  readonly options: { readonly output: { readonly module?: boolean | undefined } };
  readonly webpack: {
    readonly EntryPlugin: { createDependency(request: string, options: EntryOptions): object };
    readonly ExternalsPlugin: new (type: string, externals: RegExp) => { apply(compiler: Compiler): void };
  };
  readonly hooks: {
    readonly environment: { tap(name: string, use: () => void): void };
    readonly finishMake: { tapPromise(name: string, use: (compilation: Compilation) => Promise<void>): void };
  };
}

/** A plugin of webpack. */
export interface InserveWebpackPlugin {
  apply(compiler: object): void;
}

const NAME = 'inserve';
/** The chunk that all entries of deployments, and those that depend on them, share. */
const RUNTIME = 'inserve-runtime';

/**
 * A plugin for webpack 5: each module that declares deployments becomes an entry of its own, which replicas import and on which the
 * other entries depend, and `inserve` stays outside of the bundle.
 *
 * @example
 * module.exports = { target: 'node22', entry: './src/server.js', plugins: [inserve()] };
 */
export function inserve(): InserveWebpackPlugin {
  return { apply: (compiler) => use(compiler as Compiler) };
}

function use(compiler: Compiler): void {
  const { hooks, webpack, options } = compiler;
  // The defaults of the options are filled in now.
  hooks.environment.tap(NAME, () => {
    const type = options.output.module === true ? 'module' : 'node-commonjs';
    new webpack.ExternalsPlugin(type, OWN_SPECIFIER).apply(compiler);
  });
  hooks.finishMake.tapPromise(NAME, async (compilation) => {
    const others = [...compilation.entries.values()];
    const added: string[] = [];
    for (const path of deploymentModules(compilation)) {
      const name = freeName(parse(path).name, compilation);
      added.push(name);
      await addEntry(compiler, compilation, path, { name, runtime: RUNTIME });
    }
    if (added.length === 0) return;
    for (const { options: entry } of others) {
      entry.dependOn = [...(entry.dependOn ?? []), ...added];
      // An entry has the runtime of those on which it depends.
      entry.runtime = undefined;
    }
  });
}

function deploymentModules({ modules }: Compilation): string[] {
  return [...modules].flatMap((module) => {
    const { resource } = module;
    if (resource === undefined || !SOURCE_FILE.test(resource) || /[/\\]node_modules[/\\]/.test(resource))
      return [];
    const code = module.originalSource?.()?.source().toString() ?? '';
    return declaresDeployments(code) ? [resource] : [];
  });
}

function freeName(name: string, { entries }: Compilation): string {
  let free = name;
  for (let suffix = 1; entries.has(free); suffix++) free = `${name}-${suffix}`;
  return free;
}

function addEntry(
  compiler: Compiler,
  compilation: Compilation,
  path: string,
  options: EntryOptions,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const dependency = compiler.webpack.EntryPlugin.createDependency(path, options);
  compilation.addEntry(compiler.context, dependency, options, (error) => (error ? reject(error) : resolve()));
  return promise;
}
