import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import { moduleIdentity } from './module-identity.ts';

/** A folder with files, gone at the end of the test. */
class Folder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'identity-'));

  write(file: string, content: string): string {
    const path = join(this.path, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return pathToFileURL(path).href;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

describe('the identity of a module', () => {
  test('is the same in two folders', () => {
    using one = new Folder();
    using other = new Folder();
    const identities = [one, other].map((folder) => {
      folder.write('package.json', '{ "name": "speech" }');
      return moduleIdentity(folder.write('src/models/detector.ts', ''));
    });
    expect(identities).toEqual(['speech:src/models/detector.ts', 'speech:src/models/detector.ts']);
  });

  test('tells packages and files apart', () => {
    using one = new Folder();
    using other = new Folder();
    one.write('package.json', '{ "name": "speech" }');
    other.write('package.json', '{ "name": "vision" }');
    const all = [
      one.write('a.ts', ''),
      one.write('b.ts', ''),
      one.write('c/a.ts', ''),
      other.write('a.ts', ''),
    ];
    expect(new Set(all.map(moduleIdentity)).size).toBe(4);
  });

  test('is within the nearest package that has a name', () => {
    using folder = new Folder();
    folder.write('package.json', '{ "name": "speech" }');
    folder.write('dist/cjs/package.json', '{ "type": "commonjs" }');
    folder.write('vendor/lib/package.json', '{ "name": "lib" }');
    expect(moduleIdentity(folder.write('dist/cjs/index.js', ''))).toBe('speech:dist/cjs/index.js');
    expect(moduleIdentity(folder.write('vendor/lib/index.js', ''))).toBe('lib:index.js');
  });

  test('is within the nearest package.json if none has a name', () => {
    using folder = new Folder();
    folder.write('package.json', '{}');
    folder.write('broken/package.json', 'not JSON');
    expect(moduleIdentity(folder.write('broken/index.js', ''))).toBe(':broken/index.js');
  });
});
