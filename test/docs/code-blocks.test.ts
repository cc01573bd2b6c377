import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { transformSync } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type CodeBlock, codeBlocksOf, PAGES, placeOf } from '../support/docs/code-blocks.ts';
import { folderOf, programsOf } from '../support/docs/page-programs.ts';
import { typeErrors } from '../support/docs/type-errors.ts';
import { UserProject } from '../support/docs/user-project.ts';
import { HAS_PYTHON, PYTHON } from '../support/python.ts';

const blocks = PAGES.flatMap(codeBlocksOf);

/** Blocks that `npm run test:bundlers` builds and runs, since they are the files of recipes to the letter (test/docs.test.ts). */
function isRecipe({ note }: CodeBlock): boolean {
  return note?.startsWith('test/bundlers/recipes/') === true;
}

function of(...languages: string[]): (readonly [place: string, block: CodeBlock])[] {
  return blocks
    .filter(({ language }) => languages.includes(language))
    .map((block) => [placeOf(block), block] as const);
}

/** The commands of a block. Those of a console follow a `$`, or a `>` where they go on. */
function commandsOf({ language, code }: CodeBlock): string {
  if (language !== 'console') return code;
  const lines = code.split('\n').filter((line) => /^[$>] /.test(line));
  return lines.map((line) => line.slice(2)).join('\n');
}

const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };

const cli = readFileSync('src/cli/main.ts', 'utf8');

describe('code blocks', () => {
  test('are in a language that is checked, or are pictures', () => {
    const others = blocks.filter(
      ({ language }) => !/^(ts|tsx|js|json|yaml|sh|console|python|dockerfile|mermaid|)$/.test(language),
    );
    expect(others.map(placeOf)).toEqual([]);
  });

  test('have notes that mean something', () => {
    const others = blocks.filter(
      (block) =>
        block.note !== undefined &&
        !isRecipe(block) &&
        !/^(given: |continues$|changes |test\/fixtures\/docs\/)/.test(block.note),
    );
    expect(others.map(placeOf)).toEqual([]);
  });

  test('have the types that they seem to have', () => {
    using project = new UserProject();
    const checked = PAGES.map((page) =>
      codeBlocksOf(page).filter((block) => /^[jt]sx?$/.test(block.language) && !isRecipe(block)),
    ).filter(({ length }) => length > 0);
    for (const [{ page } = { page: '' }] of checked) {
      const files = join('test/fixtures/docs', folderOf(page));
      if (existsSync(files)) project.copy(files, folderOf(page));
    }
    expect(typeErrors(checked.flatMap(programsOf), project)).toEqual([]);
    expect(checked.flat().length).toBeGreaterThan(60);
  }, 180_000);

  test.each(of('ts', 'js').filter(([, block]) => isRecipe(block)))(
    '%s, of a recipe, can be parsed',
    (_, block) => {
      expect(() =>
        transformSync(block.code, { loader: block.language === 'ts' ? 'ts' : 'js' }),
      ).not.toThrow();
    },
  );

  test.each(of('json'))('%s is JSON', (_, { code }) => {
    expect(() => JSON.parse(code)).not.toThrow();
  });

  test.each(of('yaml'))('%s is YAML', (_, { code }) => {
    expect(() => parse(code)).not.toThrow();
  });

  test.each(of('sh', 'console'))('%s has commands that exist', (_, block) => {
    // What the reader puts in is written as <this repository>.
    const commands = commandsOf(block).replaceAll(/<[\w ]+>/g, 'placeholder');
    const { stderr } = spawnSync('bash', ['-n'], { input: commands, encoding: 'utf8' });
    expect(stderr).toBe('');
    for (const [, name = ''] of commands.matchAll(/\bnpm run (?:-s )?([\w:-]+)/g))
      expect(scripts).toHaveProperty([name]);
    for (const [, name = ''] of commands.matchAll(/\bnpx inserve ([\w-]+)/g))
      expect(cli).toContain(`'${name}'`);
    for (const [, file = ''] of commands.matchAll(/\bnode ((?:examples|scripts)\/\S+)/g))
      expect(existsSync(file), file).toBe(true);
  });

  test.each(of('dockerfile'))('%s has the instructions of a Dockerfile', (_, { code }) => {
    const instructions = code
      .trimEnd()
      .split('\n')
      .filter((line) => line !== '');
    for (const line of instructions) expect(line).toMatch(/^(FROM|ENV|WORKDIR|COPY|RUN|USER|CMD) \S/);
    const stages = new Set([...code.matchAll(/^FROM \S+ AS (\w+)$/gm)].map(([, stage]) => stage));
    for (const [, stage] of code.matchAll(/--from=(\w+)/g)) expect(stages).toContain(stage);
    const command = /^CMD (.+)$/m.exec(code)?.[1] ?? '';
    expect(JSON.parse(command)).toEqual(['node', expect.stringMatching(/\.[jt]s$/)]);
  });

  test.runIf(HAS_PYTHON).each(of('python'))('%s compiles', (_, { code }) => {
    const program = 'import sys; compile(sys.stdin.read(), "block", "exec")';
    const { stderr } = spawnSync(PYTHON, ['-c', program], { input: code, encoding: 'utf8' });
    expect(stderr).toBe('');
  });

  test.runIf(HAS_PYTHON)('docs/python.md has the model whose interface its server imports', () => {
    using project = new UserProject();
    const [model] = of('python').filter(([place]) => place.startsWith('docs/python.md'));
    project.write('model.py', model?.[1].code ?? '');
    const command = resolve('dist/cli/main.js');
    spawnSync(process.execPath, [command, 'python-types', 'model.py'], { cwd: project.directory });
    const written = readFileSync(join(project.directory, 'model.py.d.ts'), 'utf8');
    expect(written).toBe(readFileSync('test/fixtures/docs/docs-python/model.py.d.ts', 'utf8'));
  });
});
