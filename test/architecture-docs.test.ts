import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const page = readFileSync('docs/architecture.md', 'utf8');
const contributing = readFileSync('CONTRIBUTING.md', 'utf8');

/** Folders below a folder, as paths from there; without those that hold only folders. */
function foldersBelow(root: string): string[] {
  const files = globSync('**/*.ts', { cwd: root });
  return [...new Set(files.map((file) => dirname(file)))].filter((folder) => folder !== '.').sort();
}

/** Folders right below a folder that git keeps. */
function foldersIn(root: string): string[] {
  const ignored = readFileSync('.gitignore', 'utf8').split('\n');
  return readdirSync(root, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name !== '.git' && !ignored.includes(entry.name))
    .map(({ name }) => name)
    .sort();
}

/** Rooms in the order of the table. */
const rooms = [...page.matchAll(/^\| `([\w/-]+)` \| \S/gm)].map(([, room = '']) => room);

describe('docs/architecture.md', () => {
  test('has a row for every room, and for none that is not there', () => {
    const expected = foldersBelow('src');
    const withParents = new Set(expected.flatMap((room) => [room, room.split('/')[0] ?? room]));
    expect([...rooms].sort()).toEqual([...withParents].sort());
  });

  test('has the rooms in the order of the floors: imports point down its table', () => {
    const order = [...new Set(rooms.map((room) => room.split('/')[0] ?? room))];
    const upward: string[] = [];
    for (const file of globSync('**/*.ts', { cwd: 'src' })) {
      if (file.endsWith('.test.ts')) continue;
      const from = order.indexOf(file.split('/')[0] ?? '');
      for (const [, specifier = ''] of readFileSync(join('src', file), 'utf8').matchAll(
        /from '(\.[^']+)'/g,
      )) {
        const target = normalize(join(dirname(file), specifier));
        const to = order.indexOf(target.split('/')[0] ?? '');
        if (from !== -1 && to !== -1 && to < from) upward.push(`${file} → ${target}`);
      }
    }
    expect(upward).toEqual([]);
  });

  test('names only files that exist', () => {
    const files = new Set([...page.matchAll(/[\w-]+(?:\/[\w-]+)*\.ts\b/g)].map(([file]) => file));
    expect(files.size).toBeGreaterThan(30);
    expect([...files].filter((file) => !existsSync(join('src', file)))).toEqual([]);
  });

  test('has a picture each of the rooms, of a call and of a decision', () => {
    expect(page.match(/^```mermaid$/gm)).toHaveLength(3);
    const drawn = [
      ...(/```mermaid\nflowchart TB[\s\S]*?```/.exec(page)?.[0] ?? '').matchAll(
        /^ {2,4}(\w[\w-]*(?: --> \w[\w-]*)+)/gm,
      ),
    ]
      .flatMap(([, arrows = '']) => arrows.split(' --> '))
      .filter((node) => node !== 'ground');
    expect(drawn.length).toBeGreaterThan(10);
    expect(drawn.filter((room) => !rooms.includes(room))).toEqual([]);
  });
});

describe('CONTRIBUTING.md', () => {
  /** The list's folders as paths, by their indentation. */
  const listed: string[] = [];
  for (const [, indent = '', folder = ''] of contributing.matchAll(/^( *)([\w.-]+)\/ +\S/gm)) {
    const parent = indent === '' ? '' : `${listed.findLast((path) => !path.includes('/'))}/`;
    listed.push(`${parent}${folder}`);
  }

  test.each(['src', 'test'])('has a line for every folder of %s/, and for none that is not there', (root) => {
    const expected = foldersIn(root).map((folder) => `${root}/${folder}`);
    expect(listed.filter((path) => path.startsWith(`${root}/`))).toEqual(expected);
  });

  test('has a line for every folder of the repository', () => {
    expect(listed.filter((path) => !path.includes('/'))).toEqual(foldersIn('.'));
  });
});
