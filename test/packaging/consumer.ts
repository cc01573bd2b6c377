import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The `npm` that belongs to the machine, not to a test. */
function npm(args: string[], cwd: string): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

export interface PackedFile {
  readonly path: string;
  readonly size: number;
}

/** What would be published. */
export function packedFiles(): PackedFile[] {
  const [tarball] = JSON.parse(npm(['pack', '--dry-run', '--json', '--ignore-scripts'], root)) as [
    { files: PackedFile[] },
  ];
  return tarball.files;
}

/**
 * A project that has the packed tarball installed. Below this repository's `node_modules`, so that the dependencies of the
 * package are found without a network.
 */
export class Consumer implements Disposable {
  readonly directory: string;

  constructor() {
    const cache = join(root, 'node_modules', '.cache');
    mkdirSync(cache, { recursive: true });
    this.directory = mkdtempSync(join(cache, 'consumer-'));
    const [{ filename }] = JSON.parse(
      npm(['pack', '--json', '--ignore-scripts', '--pack-destination', this.directory], root),
    ) as [{ filename: string }];
    const target = join(this.directory, 'node_modules', 'inserve');
    mkdirSync(target, { recursive: true });
    execFileSync('tar', ['xzf', join(this.directory, filename), '-C', target, '--strip-components=1']);
    this.write('package.json', JSON.stringify({ private: true, version: '1.0.0' }));
  }

  write(path: string, content: string): string {
    const file = join(this.directory, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  /** Runs a script with this Node. @returns its output; throws with it if it fails */
  run(script: string, ...args: string[]): string {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...args], {
      cwd: this.directory,
      encoding: 'utf8',
      timeout: 120_000,
    });
    if (status !== 0) throw new Error(`${script} ended with ${status}\n${stdout}\n${stderr}`);
    return stdout.trim();
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
