import { relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { BatchOptions } from '../../batching/batch-options.ts';
import { moduleIdentity } from '../module-identity.ts';

/** Batching of a Python method: options of `batch()`, and whether items are stacked. */
export interface PythonBatchOptions extends Omit<BatchOptions, 'sizeOf'> {
  /**
   * Gives Python one array with a row per item, if all items are arrays of one type and shape, or lists of numbers of one
   * length. Default false: a list of items.
   */
  stack?: boolean;
}

/** Location of the class or function: in a file, or in a package on Python's search path. */
export type PythonTarget =
  | { readonly file: string; readonly name: string }
  | { readonly module: string; readonly name: string };

/** Interpreter and process of the replicas. At most one of `interpreter`, `venv` and `uv` may be given. */
export interface PythonOptions {
  /** Path or name of the interpreter. */
  interpreter?: string;
  /** Folder of a virtual environment. */
  venv?: string;
  /** Folder of a uv project, whose interpreter is used. */
  uv?: string;
  /** Arguments of the interpreter, such as `['-X', 'dev']`. Default none. */
  args?: string[];
  /** Synchronous methods that run at a time, beside the event loop. Default 0: one by one on the main thread. */
  threads?: number;
  /** Folders put before `sys.path`, behind the folder of the file. Default none. */
  path?: string[];
}

/** The plain data that a replica's thread needs to run a Python class. */
export interface PythonPlan {
  readonly target: PythonTarget;
  /** Folder of the module that declares the deployment. */
  readonly folder: string;
  readonly python: Readonly<PythonOptions>;
  readonly batch: Readonly<Record<string, PythonBatchOptions>>;
  /** Whether schemas are registered with the declaring module. */
  readonly hasSchemas: boolean;
}

/** A plan with the options of the deployment that shape the process. */
export interface PythonSource extends PythonPlan {
  /** Cores that one replica may use. */
  readonly cores: number | undefined;
  /** Memory that is reserved for one replica, in MiB; undefined = none. */
  readonly memoryMb: number | undefined;
  readonly replicas: number;
}

/** Identity of the running code for the version of the deployment: no path of this machine belongs to it. */
export function planIdentity({ target, folder, python, batch }: PythonPlan): unknown {
  const where =
    'file' in target ? moduleIdentity(pathToFileURL(target.file).href) : `module ${target.module}`;
  const { args = [], threads = 0 } = python;
  const path = (python.path ?? []).map((entry) => relative(folder, entry));
  return [where, target.name, args, threads, path, batch];
}
