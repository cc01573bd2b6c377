import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { runnerFile } from '../isolation/child/python/runner-file.ts';

/** Exit codes of the command. */
export const EXIT = { done: 0, failed: 1, wrongUse: 2 } as const;

export const PYTHON_TYPES_USAGE = `inserve python-types FILE.py [NAME …] [--out FILE] [--check] [--python INTERPRETER]

Writes the TypeScript interface of Python classes from their annotations. The file is parsed, never imported.

  NAME      classes or functions; default: all public classes that have methods
  --out     file to write; default: FILE.py.d.ts
  --check   writes nothing, and fails if the file is stale
  --python  interpreter that parses the file; default: python3
`;

/** Input and output of the command. */
export interface Output {
  out(text: string): void;
  error(text: string): void;
}

/** @returns the exit code */
export function pythonTypes(args: readonly string[], { out, error }: Output): number {
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (thrown) {
    error(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${PYTHON_TYPES_USAGE}`);
    return EXIT.wrongUse;
  }
  const { values, positionals } = parsed;
  const [file, ...names] = positionals;
  if (values.help === true) {
    out(PYTHON_TYPES_USAGE);
    return EXIT.done;
  }
  if (file === undefined) {
    error(PYTHON_TYPES_USAGE);
    return EXIT.wrongUse;
  }
  const python = values.python ?? (process.platform === 'win32' ? 'python' : 'python3');
  const script = join(dirname(runnerFile(process.env)), 'python_types.py');
  const result = spawnSync(python, [script, file, ...names], { encoding: 'utf8' });
  if (result.status !== 0) {
    error(result.error === undefined ? result.stderr : `${python}: ${result.error.message}\n`);
    return EXIT.failed;
  }
  const target = values.out ?? `${file}.d.ts`;
  const isCurrent = existsSync(target) && readFileSync(target, 'utf8') === result.stdout;
  if (values.check === true) {
    if (!isCurrent)
      error(
        `${target} is stale: run inserve python-types ${args.filter((arg) => arg !== '--check').join(' ')}\n`,
      );
    return isCurrent ? EXIT.done : EXIT.failed;
  }
  if (!isCurrent) writeFileSync(target, result.stdout);
  out(`${target}${isCurrent ? ' is up to date' : ''}\n`);
  return EXIT.done;
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      out: { type: 'string' },
      check: { type: 'boolean' },
      python: { type: 'string' },
      help: { type: 'boolean' },
    },
  });
}
