import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { invalidOption } from '../../errors.ts';
import {
  boolean,
  type Fields,
  integer,
  listOf,
  milliseconds,
  object,
  oneOf,
  parseOptions,
  recordOf,
  string,
} from '../../validation/fields.ts';
import type { DeploymentOptions } from '../options/deployment-options.ts';
import type { PythonBatchOptions, PythonOptions, PythonPlan, PythonTarget } from './python-plan.ts';

/** Options of a Python deployment: those of any deployment, without those of a JavaScript thread. */
export interface PythonDeploymentOptions extends Omit<DeploymentOptions, 'isolation' | 'resourceLimits'> {
  /** Interpreter and process. Default: the nearest `.venv`, else the active environment, else `python3`. */
  python?: PythonOptions;
  /** Methods that take a list of items, by name. They override `@batch` in Python. */
  batch?: Record<string, PythonBatchOptions>;
}

/** More threads than this only compete for the interpreter. */
const MAX_THREADS = 256;

const PYTHON_FIELDS: Fields<PythonOptions> = {
  interpreter: string(),
  venv: string(),
  uv: string(),
  args: listOf(string()),
  threads: integer(0, MAX_THREADS),
  path: listOf(string()),
};

const BATCH_FIELDS: Fields<PythonBatchOptions> = {
  maxBatchSize: integer(1),
  batchWaitTimeoutMs: milliseconds(),
  maxConcurrentBatches: integer(1),
  mode: oneOf('fixed', 'adaptive'),
  bisectOnError: boolean(),
  stack: boolean(),
};

const OWN_FIELDS: Fields<Pick<PythonDeploymentOptions, 'python' | 'batch'>> = {
  python: object<PythonOptions>(PYTHON_FIELDS),
  batch: recordOf(object<PythonBatchOptions>(BATCH_FIELDS)),
};

/** `./model.py:Classifier`, or `package.module:Classifier`. */
const TARGET =
  /^(?:(?<file>(?:\.{0,2}\/|[A-Za-z]:[\\/]).*\.py)|(?<module>[\w]+(?:\.\w+)*)):(?<name>[A-Za-z_]\w*)$/;

/** @throws ServeError `SERVE_INVALID_OPTION` */
export function parsePythonTarget(target: unknown, folder: string): PythonTarget {
  const { file, module, name } = (typeof target === 'string' ? TARGET.exec(target)?.groups : undefined) ?? {};
  if (name === undefined) {
    throw invalidOption(
      'pythonDeployment(target)',
      target,
      "'./file.py:name', relative to the calling module, or 'package.module:name'; name is a class or a function",
    );
  }
  return file === undefined ? { module: module ?? '', name } : { file: resolve(folder, file), name };
}

/**
 * Splits the options into those of Python and those of any deployment.
 *
 * @throws ServeError `SERVE_INVALID_OPTION`
 */
export function parsePythonOptions(
  given: PythonDeploymentOptions,
  folder: string,
): [own: Pick<PythonPlan, 'python' | 'batch'>, others: DeploymentOptions] {
  const { python: givenPython, batch: givenBatch, ...others } = given;
  for (const name of ['isolation', 'resourceLimits']) {
    if (Reflect.get(others, name) === undefined) continue;
    const allowed =
      'not to be set: a Python deployment runs in a process of its own, and resources.memoryMb limits it';
    throw invalidOption(`pythonDeployment.${name}`, Reflect.get(others, name), allowed);
  }
  const own = { python: givenPython, batch: givenBatch };
  const { python = {}, batch = {} } = parseOptions<Pick<PythonDeploymentOptions, 'python' | 'batch'>>(
    own,
    OWN_FIELDS,
    'pythonDeployment',
  );
  const chosen = (['interpreter', 'venv', 'uv'] as const).filter((name) => python[name] !== undefined);
  if (chosen.length > 1) {
    throw invalidOption('pythonDeployment.python', python, `one of ${chosen.join(', ')}, not several`);
  }
  return [{ python: withAbsolutePaths(python, folder), batch }, others];
}

/** A name without a slash is looked up on `PATH`. */
function withAbsolutePaths(python: PythonOptions, folder: string): PythonOptions {
  const { interpreter, venv, uv, path } = python;
  return {
    ...python,
    ...(interpreter !== undefined && {
      interpreter: /[\\/]/.test(interpreter) ? resolve(folder, interpreter) : interpreter,
    }),
    ...(venv !== undefined && { venv: resolve(folder, venv) }),
    ...(uv !== undefined && { uv: resolve(folder, uv) }),
    ...(path !== undefined && { path: path.map((entry) => resolve(folder, entry)) }),
  };
}

/** Folder of the module that declares a deployment. */
export function folderOf(module: string): string {
  return dirname(fileURLToPath(module));
}
