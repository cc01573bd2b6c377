import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { freePort } from '../support/free-port.ts';

/** The field `recipe` in the package.json of a recipe. */
interface RecipeOptions {
  /** Language of the sources of the app. Default: `ts` */
  readonly language?: 'ts' | 'js';
  /** The folder of those sources. Default: `src` */
  readonly sources?: string;
  /** Files of the app that the recipe has. Default: all */
  readonly app?: readonly string[];
  /** Paths that are moved to another folder, in which the app then runs. Default: the whole project */
  readonly deploy?: readonly string[];
  /** The path that answers. Default: `/` */
  readonly path?: string;
  /** A regular expression that matches the output of an app that must end with an error at its start. */
  readonly fails?: string;
}

/**
 * The package.json of a recipe. Its script `setup` installs (by default `npm install`), `dev` starts the app before it is built, `build`
 * builds it, and `start` starts it from where it is deployed. Only `start` is required. `INSERVE` stands for the packed package.
 */
interface Manifest {
  readonly scripts: {
    readonly setup?: string;
    readonly dev?: string;
    readonly build?: string;
    readonly start: string;
  };
  readonly recipe?: RecipeOptions;
}

/** The outcome of a recipe. */
interface Outcome {
  /** Undefined if the recipe works. */
  readonly failure: string | undefined;
  /** Durations of its steps. */
  readonly seconds: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));
const APP = fileURLToPath(new URL('app', import.meta.url));
const RECIPES = fileURLToPath(new URL('recipes', import.meta.url));
const INSTALL = 'npm install --no-audit --no-fund --loglevel=error';
/** The limit of an install or a build, in ms. */
const BUILD_MS = 600_000;
/** The limit of the first answer of an app, and of its end, in ms. */
const START_MS = 120_000;
const EXPECTED = { sizes: [1, 2, 3], query: '?q=1', by: 'Search', isMainThread: false };

export const recipeNames: readonly string[] = readdirSync(RECIPES).sort();

/** Packs the package. @returns the file */
export function pack(directory: string): string {
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', directory];
  const output = execFileSync('npm', args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [{ filename }] = JSON.parse(output) as [{ filename: string }];
  return join(directory, filename);
}

/** Copies a recipe, and the app that all recipes build, into a folder. */
export function copyRecipe(name: string, project: string): Manifest {
  cpSync(join(RECIPES, name), project, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as Manifest;
  const { language = 'ts', sources = 'src', app = readdirSync(APP) } = manifest.recipe ?? {};
  for (const file of app) {
    const target = join(project, sources, file.replace(/\.ts$/, `.${language}`));
    // A recipe may have a server of its own.
    if (existsSync(target)) continue;
    mkdirSync(dirname(target), { recursive: true });
    const code = readFileSync(join(APP, file), 'utf8');
    const plain = (): string =>
      transformSync(code, { loader: 'ts' }).code.replaceAll(/\.ts(?=['"];)/g, '.js');
    writeFileSync(target, language === 'ts' ? code : plain());
  }
  return manifest;
}

/** Installs, builds and runs a recipe below a folder. */
export async function runRecipe(name: string, tarball: string, directory: string): Promise<Outcome> {
  const times: string[] = [];
  const timed = async (what: string, work: () => unknown): Promise<void> => {
    const begin = performance.now();
    await work();
    times.push(`${what} ${((performance.now() - begin) / 1_000).toFixed(1)} s`);
  };
  try {
    const project = join(directory, 'project');
    const { recipe = {}, scripts } = copyRecipe(name, project);
    const { setup = INSTALL, dev, build, start } = scripts;
    usePackage(project, tarball);
    await timed('install', () => run(setup, project));
    if (dev !== undefined) await timed('dev', () => check(dev, project, recipe));
    if (build !== undefined) await timed('build', () => run(build, project));
    const deployed = join(directory, 'deployed');
    deploy(project, deployed, recipe.deploy);
    await timed('run', () => check(start, deployed, recipe));
    return { failure: undefined, seconds: times.join(', ') };
  } catch (error) {
    return { failure: error instanceof Error ? error.message : String(error), seconds: times.join(', ') };
  }
}

function usePackage(project: string, tarball: string): void {
  for (const file of globSync('**/package.json', { cwd: project })) {
    const path = join(project, file);
    const manifest = readFileSync(path, 'utf8');
    writeFileSync(path, manifest.replaceAll('"INSERVE"', JSON.stringify(`file:${tarball}`)));
  }
}

/** Moves what is deployed, and hides the project: the app must not need the paths of the machine that built it. */
function deploy(project: string, deployed: string, paths: readonly string[] | undefined): void {
  if (paths === undefined) {
    renameSync(project, deployed);
    return;
  }
  for (const path of paths) {
    const target = join(deployed, path);
    mkdirSync(dirname(target), { recursive: true });
    renameSync(join(project, path), target);
  }
  renameSync(project, `${project}-hidden`);
}

function environment(directory: string, more: Record<string, string> = {}): NodeJS.ProcessEnv {
  const bins = [directory, root].map((folder) => join(folder, 'node_modules', '.bin'));
  const path = [...bins, dirname(process.execPath), process.env['PATH']].join(delimiter);
  // Those of the tests are not those of the app.
  const { NODE_ENV: _env, NODE_OPTIONS: _options, VITEST: _vitest, ...inherited } = process.env;
  return { ...inherited, PATH: path, CI: '1', ...more };
}

/** Runs a shell command. @throws with its output if it fails */
export function run(command: string, cwd: string): void {
  const { status, stdout, stderr, error } = spawnSync(command, {
    cwd,
    shell: true,
    encoding: 'utf8',
    timeout: BUILD_MS,
    maxBuffer: 2 ** 28,
    env: environment(cwd),
  });
  if (status !== 0) throw new Error(`${command}\n${error?.message ?? ''}${stdout}${stderr}`);
}

/** Starts an app, asks it once, and ends it. @throws with its output if it does not do what it should */
export async function check(
  command: string,
  cwd: string,
  { path = '/', fails }: RecipeOptions = {},
  more: Record<string, string> = {},
): Promise<void> {
  const port = await freePort();
  const env = environment(cwd, { PORT: String(port), HOST: '127.0.0.1', ...more });
  const child = spawn(`exec ${command}`, { cwd, shell: true, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const exited = once(child, 'exit').then(([code, signal]: unknown[]) => signal ?? code);
  const ended = async (): Promise<never> => {
    throw new Error(`it ended with ${await exited}`);
  };
  try {
    if (fails !== undefined) {
      const code = await within(exited, 'it did not end');
      if (code === 0 || !new RegExp(fails).test(output)) await ended();
      return;
    }
    const url = `http://127.0.0.1:${port}${path}?q=1`;
    const answer = await Promise.race([within(firstAnswer(url), 'it did not answer'), ended()]);
    if (JSON.stringify(answer) !== JSON.stringify(EXPECTED)) {
      throw new Error(`it answered ${JSON.stringify(answer)}`);
    }
    child.kill('SIGTERM');
    await within(exited, 'it did not end after SIGTERM');
  } catch (error) {
    throw new Error(`${command}: ${error instanceof Error ? error.message : error}\n${output}`);
  } finally {
    child.kill('SIGKILL');
  }
}

/** The first answer of an app that is about to start: each tool says in words of its own, or not at all, that it listens. */
async function firstAnswer(url: string): Promise<unknown> {
  for (;;) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return await answer.json();
    if (answer !== undefined && ![404, 503].includes(answer.status)) {
      throw new Error(`it answered ${answer.status}: ${await answer.text()}`);
    }
    await answer?.body?.cancel();
    await sleep(100);
  }
}

async function within<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`${otherwise} within ${START_MS / 1_000} s`)), START_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
