import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const CACHE = resolve('node_modules/.cache/promtool');

/**
 * The path of promtool: the installed one, or the one in the package of a distribution of Debian's kind, which is unpacked and not
 * installed, since it would start a server. Undefined elsewhere, where the tests that need it are skipped.
 */
export const PROMTOOL: string | undefined = installed() ?? cached() ?? unpacked();

function installed(): string | undefined {
  return spawnSync('promtool', ['--version']).status === 0 ? 'promtool' : undefined;
}

function cached(): string | undefined {
  return existsSync(CACHE) ? CACHE : undefined;
}

function unpacked(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'promtool-'));
  const run = (command: string, ...args: readonly string[]): boolean =>
    spawnSync(command, args, { cwd: folder, timeout: 60_000 }).status === 0;
  const download = (): boolean => run('apt-get', 'download', '-qq', 'prometheus');
  try {
    const isRoot = process.getuid?.() === 0;
    if (!download() && !(isRoot && run('apt-get', 'update', '-qq') && download())) return undefined;
    const [file = ''] = globSync('*.deb', { cwd: folder });
    if (!run('dpkg', '-x', file, folder)) return undefined;
    mkdirSync(resolve('node_modules/.cache'), { recursive: true });
    // Several test files may do the same at once.
    run('cp', 'usr/bin/promtool', `${CACHE}.${process.pid}`);
    renameSync(`${CACHE}.${process.pid}`, CACHE);
    return CACHE;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export interface Said {
  readonly isGood: boolean;
  /** What it has printed. */
  readonly output: string;
}

/** Runs promtool in a folder. @throws if there is none */
export function promtool(cwd: string, ...args: readonly string[]): Said {
  if (PROMTOOL === undefined) throw new Error('there is no promtool');
  const { status, stdout, stderr } = spawnSync(PROMTOOL, args, { cwd, encoding: 'utf8' });
  return { isGood: status === 0, output: `${stdout}${stderr}` };
}
