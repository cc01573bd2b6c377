import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/**
 * A project of a user in a temporary folder. It lies outside of the repository, since Node strips no types below `node_modules`, and
 * finds this package and everything that is installed here.
 */
export class UserProject implements Disposable {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'inserve-user-'));

  /** @param inserve the folder of the package. Default: this checkout */
  constructor(inserve: string = resolve('.')) {
    const modules = join(this.directory, 'node_modules');
    mkdirSync(modules);
    for (const name of readdirSync('node_modules'))
      if (!name.startsWith('.')) symlinkSync(resolve('node_modules', name), join(modules, name));
    symlinkSync(inserve, join(modules, 'inserve'));
    this.write('package.json', '{ "private": true, "version": "1.0.0", "type": "module" }\n');
  }

  write(path: string, content: string): string {
    const file = join(this.directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  copy(from: string, to: string): void {
    cpSync(from, join(this.directory, to), { recursive: true });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
