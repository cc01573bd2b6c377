import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The version of this package; empty where its files were bundled into others. */
export function ownVersion(): string {
  try {
    const folder = dirname(fileURLToPath(import.meta.url));
    // The package is itself bundled, and its sources lie one folder deeper.
    for (const root of [join(folder, '..'), join(folder, '..', '..')]) {
      const version = versionIn(join(root, 'package.json'));
      if (version !== undefined) return version;
    }
  } catch {}
  return '';
}

function versionIn(file: string): string | undefined {
  try {
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as { name?: unknown; version?: unknown };
    return name === 'inserve' && typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
