import { spawnSync } from 'node:child_process';
import { describe, test } from 'vitest';

const APT = ['-o', 'DPkg::Lock::Timeout=120', '-qq'];

/** Whether this machine has a program, or gets it from the packages of its distribution. */
export function hasProgram(program: string, versionFlag: string, fromPackage: string): boolean {
  const isThere = (): boolean => spawnSync(program, [versionFlag]).status === 0;
  return isThere() || (isInstalled(fromPackage) && isThere());
}

/**
 * A suite that needs a program. Where that is missing the suite says so: it is skipped on a developer's machine, and fails under
 * `CI=true`, where nobody would notice.
 */
export function describeWithProgram(
  program: string,
  isThere: boolean,
  name: string,
  suite: () => void,
): void {
  if (isThere) {
    describe(name, suite);
    return;
  }
  const missing = `${program} is not installed, and cannot be installed from here`;
  describe(name, () => {
    test.skipIf(process.env['CI'] !== 'true')(missing, () => {
      throw new Error(`${missing}: install the package ${program}`);
    });
  });
}

/** Installs a package where that needs no password: as root of a distribution of Debian's kind, such as in a container of a CI. */
function isInstalled(name: string): boolean {
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', [...APT, ...args], { env, timeout: 120_000 }).status === 0;
  const install = ['install', '-y', '--no-install-recommends', name];
  return apt(...install) || (apt('update') && apt(...install));
}
