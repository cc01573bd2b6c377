import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import type { ProgramFile } from './page-programs.ts';
import type { UserProject } from './user-project.ts';

/** What `tsc --init` of TypeScript 7 writes, and what a project needs that Node runs without a build. */
const TSCONFIG = {
  compilerOptions: {
    module: 'nodenext',
    target: 'esnext',
    lib: ['esnext'],
    types: ['node'],
    declaration: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    strict: true,
    verbatimModuleSyntax: true,
    isolatedModules: true,
    noUncheckedSideEffectImports: true,
    moduleDetection: 'force',
    skipLibCheck: true,
    erasableSyntaxOnly: true,
    allowImportingTsExtensions: true,
    noEmit: true,
  },
};

/** Writes programs into a project, and type-checks them all at once. @returns the errors, with page and line */
export function typeErrors(programs: readonly ProgramFile[], project: UserProject): string[] {
  for (const { path, lines } of programs)
    project.write(path, `${lines.map(({ text }) => text).join('\n')}\n`);
  project.write('tsconfig.json', JSON.stringify(TSCONFIG));
  const tsc = resolve('node_modules/typescript/bin/tsc');
  const { stdout, status } = spawnSync(process.execPath, [tsc, '--pretty', 'false'], {
    cwd: project.directory,
    encoding: 'utf8',
  });
  const places = new Map(programs.map(({ path, lines }) => [path, lines]));
  // Indented lines belong to the error above them.
  const errors = stdout
    .split(/\n(?=\S)/)
    .filter((error) => error.trim() !== '')
    .map((error) =>
      error.trimEnd().replace(/^(.+?)\((\d+),\d+\)/, (found, file: string, line: string) => {
        return places.get(file)?.[Number(line) - 1]?.place ?? found;
      }),
    );
  if (status !== 0 && errors.length === 0) throw new Error(`tsc ended with ${status}`);
  // A line that stands in several versions of a file has its error in each.
  return [...new Set(errors)];
}
