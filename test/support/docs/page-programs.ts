import { join, resolve } from 'node:path';
import { type CodeBlock, placeOf } from './code-blocks.ts';

interface ProgramLine {
  readonly text: string;
  /** Where the line stands in a page: `docs/http.md:12`. */
  readonly place: string;
}

/** A file that a reader of a page would have. */
export interface ProgramFile {
  /** Path below the folder of all programs. */
  readonly path: string;
  readonly lines: readonly ProgramLine[];
}

const GIVEN = resolve('test/fixtures/docs/given.ts');
const FILE_NAME = /^\/\/ ([\w./-]+\.[jt]sx?)\b/;
const DECLARATION = /^(?:export )?(?:async )?(?:class|function|const|interface|type) (\w+)/;
const IMPORT = /^import .* from ('.+');/;

/** The folder of the files of a page. */
export function folderOf(page: string): string {
  return page.replace(/\.md$/, '').replaceAll('/', '-');
}

function linesOf(block: CodeBlock): ProgramLine[] {
  const texts = block.code.replace(/\n$/, '').split('\n');
  return texts.map((text, index) => ({ text, place: placeOf({ ...block, line: block.line + index }) }));
}

/** Top-level declarations, each from its first line to that of the next one. */
function declarationsIn(lines: readonly ProgramLine[]): Map<string, readonly [from: number, to: number]> {
  const found = lines.flatMap(({ text }, from) => {
    const name = DECLARATION.exec(text)?.[1];
    return name === undefined ? [] : [{ name, from }];
  });
  return new Map(found.map(({ name, from }, at) => [name, [from, found[at + 1]?.from ?? lines.length]]));
}

/** A file in which a reader has replaced imports and declarations by those of a block, and added those that are new. */
function changed(file: readonly ProgramLine[], block: readonly ProgramLine[]): ProgramLine[] {
  const after = [...file];
  for (const [name, [from, to]] of declarationsIn(block)) {
    const [start, end] = declarationsIn(after).get(name) ?? [after.length, after.length];
    after.splice(start, end - start, ...block.slice(from, to));
  }
  for (const line of block) {
    const source = IMPORT.exec(line.text)?.[1];
    if (source === undefined) continue;
    const at = after.findIndex(({ text }) => IMPORT.exec(text)?.[1] === source);
    after.splice(Math.max(at, 0), at < 0 ? 0 : 1, line);
  }
  return after;
}

/**
 * Makes files of the blocks of a page, as its reader would write them. Each block is a file of its own, named by its first line
 * (`// models.ts`) where that names one. What readers know without being told is in a comment above the block, which they do not see:
 *
 * - `<!-- given: app, type Order -->`: the block uses these names of `test/fixtures/docs/given.ts`;
 * - `<!-- continues -->`: the block goes on where the one before it on the page ends;
 * - `<!-- changes models.ts -->`: the block replaces the declarations of the same names in that file of the page;
 * - `<!-- test/fixtures/docs/… -->`: the block is this file to the letter, which a test runs (test/integration/pages).
 *
 * Where a file changes, all named files of the page begin a new version in a folder of their own: every state that a reader has is
 * checked.
 */
export function programsOf(blocks: readonly CodeBlock[]): ProgramFile[] {
  const files: { path: string; lines: ProgramLine[] }[] = [];
  let folder = folderOf(blocks[0]?.page ?? '');
  let named = new Map<string, ProgramLine[]>();
  const add = (name: string, lines: ProgramLine[]): void => {
    files.push({ path: join(folder, name), lines });
  };
  for (const block of blocks) {
    const { note = '', code, language, line } = block;
    const [, keyword, argument = ''] = /^(given:|changes|continues) ?(.*)$/.exec(note) ?? [];
    const last = files.at(-1);
    if (keyword === 'continues' && last !== undefined) {
      last.lines.push(...linesOf(block));
      continue;
    }
    const given =
      keyword === 'given:'
        ? [{ text: `import { ${argument} } from '${GIVEN}';`, place: placeOf(block) }]
        : [];
    const name = keyword === 'changes' ? argument : FILE_NAME.exec(code)?.[1];
    if (name === undefined) {
      add(`line-${line}.${language}`, [...given, ...linesOf(block)]);
      continue;
    }
    const before = named.get(name);
    if (keyword === 'changes' && before === undefined)
      throw new Error(`${placeOf(block)}: the page has no ${name} before it`);
    if (before !== undefined) {
      folder = `${folderOf(block.page)}@${line}`;
      named = new Map(named);
      for (const [other, lines] of named) if (other !== name) add(other, lines);
    }
    const lines =
      keyword === 'changes' ? changed(before ?? [], linesOf(block)) : [...given, ...linesOf(block)];
    named.set(name, lines);
    add(name, lines);
  }
  return files;
}

/** The code of the files that a reader of a page has, by name: first, and after each block that changes one. */
export function versionsOf(blocks: readonly CodeBlock[]): Map<string, string>[] {
  const versions = new Map<string, Map<string, string>>();
  for (const { path, lines } of programsOf(blocks)) {
    const [folder = '', ...names] = path.split('/');
    const files = versions.get(folder) ?? new Map<string, string>();
    files.set(names.join('/'), `${lines.map(({ text }) => text).join('\n')}\n`);
    versions.set(folder, files);
  }
  return [...versions.values()];
}
