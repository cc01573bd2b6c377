import { spawnSync } from 'node:child_process';
import { describe, test } from 'vitest';

const APT = ['-o', 'DPkg::Lock::Timeout=120', '-qq'];

/** Whether this machine has Redis, or gets it from the packages of its distribution. */
export const HAS_REDIS: boolean = isThere() || isInstalled();

const MISSING = 'redis-server is not installed, and cannot be installed from here';

/**
 * A suite that needs `redis-server`. Where that is missing the suite says so: it is skipped on a developer's machine, and fails
 * under `CI=true`, where nobody would notice.
 */
export function describeWithRedis(name: string, suite: () => void): void {
  if (HAS_REDIS) {
    describe(name, suite);
    return;
  }
  describe(name, () => {
    test.skipIf(process.env['CI'] !== 'true')(MISSING, () => {
      throw new Error(`${MISSING}: install the package redis-server`);
    });
  });
}

function isThere(): boolean {
  return spawnSync('redis-server', ['--version']).status === 0;
}

/** Installs Redis where that needs no password: as root of a distribution of Debian's kind, such as in a container of a CI. */
function isInstalled(): boolean {
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: readonly string[]): boolean =>
    spawnSync('apt-get', [...APT, ...args], { env, timeout: 120_000 }).status === 0;
  const install = ['install', '-y', '--no-install-recommends', 'redis-server'];
  return (apt(...install) || (apt('update') && apt(...install))) && isThere();
}
