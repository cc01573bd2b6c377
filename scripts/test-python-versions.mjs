/**
 * Runs the tests of Python replicas that need no packages with every version of Python that is found: `python3.9` to `python3.14`
 * on `PATH`, those of pyenv, and those that `INSERVE_PYTHONS` names, separated as `PATH` is.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const MINORS = [9, 10, 11, 12, 13, 14];

const DESCRIBE = 'import sys; print(sys.executable, "%d.%d" % sys.version_info[:2], sep="\\n")';

/** The interpreter that a command starts, and its version; undefined if there is none. */
function describe(command) {
  const { status, stdout } = spawnSync(command, ['-c', DESCRIBE], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  const [python = '', version = ''] = stdout.trim().split('\n');
  return { python, version };
}

const pyenv = join(homedir(), '.pyenv', 'versions');
const candidates = [
  ...(process.env['INSERVE_PYTHONS']?.split(delimiter) ?? []),
  ...(existsSync(pyenv) ? readdirSync(pyenv).map((version) => join(pyenv, version, 'bin', 'python')) : []),
  ...MINORS.map((minor) => `python3.${minor}`),
];
const found = new Map();
for (const candidate of candidates) {
  const described = describe(candidate);
  if (described !== undefined && !found.has(described.version))
    found.set(described.version, described.python);
}

let failures = 0;
function run(command, args, env) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) failures++;
}

for (const minor of MINORS) {
  const version = `3.${minor}`;
  const python = found.get(version);
  if (python === undefined) {
    console.log(`Python ${version} is not there: skipped`);
    continue;
  }
  console.log(`Python ${version}: ${python}`);
  run(python, ['-W', 'error', '-m', 'unittest', 'discover', '-s', 'test/python'], {});
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  run(process.execPath, [vitest, 'run', 'test/integration/python', 'test/fault/python.test.ts'], {
    INSERVE_TEST_PYTHON: python,
    PATH: `${dirname(python)}${delimiter}${process.env['PATH']}`,
  });
}
process.exit(failures === 0 ? 0 : 1);
