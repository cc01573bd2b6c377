import { invalidOption, ServeError } from '../../errors.ts';
import { callerModule, toFileUrl } from '../call-site.ts';
import { Deployment } from '../deployment.ts';
import { assertRepeatable } from '../idempotent.ts';
import { NAME_PATTERN, parseDeploymentOptions } from '../options/deployment-options.ts';
import { registerTarget } from '../registry.ts';
import {
  folderOf,
  type PythonDeploymentOptions,
  parsePythonOptions,
  parsePythonTarget,
} from './python-options.ts';

/** A class with the methods of `Api`, made with the arguments `Args`. */
export interface PythonClass<Api, Args extends unknown[]> {
  new (...args: Args): Api;
  readonly prototype: Api;
}

/**
 * Stands for every Python class where a deployment needs a class. The replica's thread makes another one, whose instances
 * have the methods of the Python class.
 */
class PythonTargetClass {
  /** Only the replica knows whether the Python class has this hook. */
  reconfigure: undefined;
}

/**
 * Makes a Python class or function deployable. Each replica runs it in a process of its own; everything else is as for
 * `deployment()`.
 *
 * `Api` is an interface with its methods, and `Args` the arguments of its constructor; `inserve python-types model.py` writes
 * both. `__call__` is `call`.
 *
 * @param target `'./file.py:name'`, relative to the calling module, or `'package.module:name'`
 * @throws ServeError `SERVE_INVALID_OPTION` for a target or an option that is not allowed
 * @example
 * const ClassifierDeployment = pythonDeployment<Classifier, ClassifierArguments>('./model.py:Classifier', {
 *   batch: { predict: { maxBatchSize: 16 } },
 * });
 */
export function pythonDeployment<Api = unknown, Args extends unknown[] = unknown[]>(
  target: string,
  options: PythonDeploymentOptions = {},
): Deployment<PythonClass<Api, Args>> {
  const module = options.module === undefined ? callerModule() : toFileUrl(options.module);
  if (module === undefined) throw invalidOption('pythonDeployment.module', options.module, 'a file: URL');
  const folder = folderOf(module);
  const found = parsePythonTarget(target, folder);
  const [own, others] = parsePythonOptions(options, folder);
  const { schemas = {}, ...parsed } = parseDeploymentOptions(others, 'pythonDeployment');
  const name = parsed.name ?? found.name;
  if (!NAME_PATTERN.test(name))
    throw new ServeError(
      'SERVE_INVALID_OPTION',
      `pythonDeployment: '${name}' cannot be the name of a deployment: set the option \`name\``,
    );
  assertRepeatable(parsed, PythonTargetClass, 'pythonDeployment');
  const hasSchemas = Object.keys(schemas).length > 0;
  // The thread imports the module for its schemas only.
  if (hasSchemas) registerTarget(module, name, { target: PythonTargetClass, schemas });
  return new Deployment<PythonClass<Api, Args>>({
    target: PythonTargetClass,
    module,
    exportName: name,
    isNameInferred: parsed.name === undefined,
    options: { ...parsed, name },
    python: { ...own, target: found, folder, hasSchemas },
  });
}
