import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { HAS_PYTHON, PYTHON } from '../../support/python.ts';

function run(args: readonly string[]): { readonly status: number | null; readonly output: string } {
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stdout, stderr } = spawnSync(PYTHON, args, { encoding: 'utf8', env });
  return { status, output: stdout + stderr };
}

describe.skipIf(!HAS_PYTHON)('the Python package (skipped without Python 3.9 or newer)', () => {
  test('compiles without a warning', () => {
    const compile = [
      'import pathlib, sys',
      'for path in pathlib.Path("python").rglob("*.py"):',
      '    compile(path.read_text(encoding="utf-8"), str(path), "exec")',
    ].join('\n');
    expect(run(['-W', 'error', '-c', compile])).toEqual({ status: 0, output: '' });
  });

  test('keeps to the grammar of Python 3.9', () => {
    const parse = [
      'import ast, pathlib',
      'for path in pathlib.Path("python").rglob("*.py"):',
      '    ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 9))',
    ].join('\n');
    expect(run(['-c', parse])).toEqual({ status: 0, output: '' });
  });

  test('passes its own tests', () => {
    const { status, output } = run(['-W', 'error', '-m', 'unittest', 'discover', '-s', 'test/python']);
    expect(output).toMatch(/^OK/m);
    expect(status).toBe(0);
  }, 180_000);
});
