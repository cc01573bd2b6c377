import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { PythonPlan } from '../../../deployment/python/python-plan.ts';
import { ServeError } from '../../../errors.ts';
import { messageOf } from '../../../values/describe-value.ts';

const IS_WINDOWS = process.platform === 'win32';

/** Time in which uv must name its interpreter, in ms. It may have to download one. */
const UV_TIMEOUT_MS = 60_000;

/** An interpreter, and where it was found. */
export interface Interpreter {
  /** Path, or a name that is found on `PATH`. It is used as it is: the link in a virtual environment must not be resolved. */
  readonly file: string;
  /** Ends a sentence such as "Python was taken from …". */
  readonly origin: string;
}

/**
 * Finds the interpreter: the one that the options name, the nearest `.venv` from the folder of the file up to its package, the
 * active environment, or `python3` on `PATH`.
 *
 * @throws ServeError `SERVE_INVALID_OPTION` if the one that the options name is not there
 */
export function findInterpreter({ python, target, folder }: PythonPlan, env: NodeJS.ProcessEnv): Interpreter {
  const { interpreter, venv, uv } = python;
  if (interpreter !== undefined) return { file: interpreter, origin: 'python.interpreter' };
  if (venv !== undefined) return { file: existing(venv, 'python.venv'), origin: 'python.venv' };
  if (uv !== undefined) return { file: uvPython(uv), origin: 'python.uv' };
  const near = nearestVenv('file' in target ? dirname(target.file) : folder);
  if (near !== undefined) return { file: inVenv(near), origin: near };
  for (const name of ['VIRTUAL_ENV', 'CONDA_PREFIX']) {
    const active = env[name];
    if (active === undefined || active === '') continue;
    const file = name === 'CONDA_PREFIX' && IS_WINDOWS ? join(active, 'python.exe') : inVenv(active);
    if (existsSync(file)) return { file, origin: name };
  }
  return { file: IS_WINDOWS ? 'python' : 'python3', origin: 'PATH' };
}

function inVenv(folder: string): string {
  return IS_WINDOWS ? join(folder, 'Scripts', 'python.exe') : join(folder, 'bin', 'python');
}

function existing(venv: string, option: string): string {
  const file = inVenv(venv);
  if (existsSync(file)) return file;
  throw new ServeError(
    'SERVE_INVALID_OPTION',
    `${option}: there is no ${file}; make the environment with: python3 -m venv ${venv}`,
  );
}

/** The nearest `.venv`, up to the folder of the nearest package.json or pyproject.toml. */
function nearestVenv(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const venv = join(folder, '.venv');
    if (existsSync(inVenv(venv))) return venv;
    const isPackage = ['package.json', 'pyproject.toml'].some((name) => existsSync(join(folder, name)));
    if (isPackage || dirname(folder) === folder) return undefined;
  }
}

/** `uv run` would put a process of its own between, which signals do not pass. */
function uvPython(project: string): string {
  try {
    const { execFileSync } = process.getBuiltinModule('node:child_process');
    const args = ['python', 'find', '--project', project];
    return execFileSync('uv', args, { encoding: 'utf8', timeout: UV_TIMEOUT_MS, stdio: 'pipe' }).trim();
  } catch (error) {
    throw new ServeError('SERVE_INVALID_OPTION', `python.uv: uv found no interpreter: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
