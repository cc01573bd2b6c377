import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { pythonTypes } from '../../../src/cli/python-types.ts';
import { HAS_PYTHON, PYTHON } from '../../support/python.ts';

/** Runs the command; what it printed comes behind its exit code. */
function run(...args: string[]): { code: number; printed: string } {
  let printed = '';
  const print = (text: string): void => {
    printed += text;
  };
  const code = pythonTypes([...args, '--python', PYTHON], { out: print, error: print });
  return { code, printed };
}

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'inserve-'));
  onTestFinished(() => rmSync(made, { recursive: true }));
  return made;
}

const EXPECTED = 'test/fixtures/python/annotated.py.d.ts';

describe.skipIf(!HAS_PYTHON)('inserve python-types (skipped without Python 3.9 or newer)', () => {
  test('writes the interface of a class from its annotations, without importing the file', () => {
    const out = join(folder(), 'out.d.ts');
    expect(run('test/fixtures/python/annotated.py', '--out', out)).toEqual({ code: 0, printed: `${out}\n` });
    expect(readFileSync(out, 'utf8')).toBe(readFileSync(EXPECTED, 'utf8'));
    expect(run('test/fixtures/python/annotated.py', '--check')).toEqual({ code: 0, printed: '' });
  });

  test('says with --check that a file is stale, and writes nothing', () => {
    const file = join(folder(), 'model.py');
    copyFileSync('test/fixtures/python/annotated.py', file);
    expect(run(file, '--check')).toMatchObject({ code: 1, printed: expect.stringContaining('is stale') });
    expect(run(file).code).toBe(0);
    expect(run(file)).toMatchObject({ code: 0, printed: expect.stringContaining('is up to date') });
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n\nclass More:\n    def go(self) -> int: ...\n`);
    expect(run(file, '--check').code).toBe(1);
  });

  test('names parameters as TypeScript allows, and escapes what its texts cannot hold', () => {
    const file = join(folder(), 'names.py');
    const method = `def go(self, delete: int, new: Literal["a\\n'\\\\"], ä: int, *function: int) -> int: ...`;
    const data = '@dataclass\nclass Data:\n    kept: int\n    shared: ClassVar[int] = 1';
    writeFileSync(file, `class Names:\n    ${method}\n    def data(self) -> Data: ...\n${data}\n`);
    expect(run(file).code).toBe(0);
    const written = readFileSync(`${file}.d.ts`, 'utf8');
    expect(written).toContain(
      `go(delete_: number, new_: 'a\\n\\'\\\\', ä: number, ...function_: number[]): number;`,
    );
    expect(written).toContain('kept: number');
    expect(written).not.toContain('shared');
  });

  test.each([
    ['a file that is not there', ['none.py'], 1, 'none.py: No such file or directory\n'],
    ['a folder', ['test'], 1, 'test: Is a directory\n'],
    ['a name that is not there', ['test/fixtures/python/annotated.py', 'Missing'], 1, "'Missing'"],
    ['a file that cannot be parsed', ['test/fixtures/python/unparsable.py'], 1, 'unparsable.py'],
    ['no file', [], 2, 'inserve python-types FILE.py'],
    ['an unknown option', ['a.py', '--none'], 2, '--none'],
  ])('fails for %s', (_name, args, code, message) => {
    const result = run(...args);
    expect(result.code).toBe(code);
    expect(result.printed).toContain(message);
  });
});
