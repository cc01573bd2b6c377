import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Limits that the control groups of this process set; undefined = no limit. */
export interface CgroupLimits {
  readonly cpus: number | undefined;
  readonly memoryBytes: number | undefined;
}

/** Version 1 expresses "no limit" by a number near 2^63. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * Reads the limits of version 2 and version 1 control groups, the tightest on the way up: a parent's limit applies as well.
 * Inside a container the path in `/proc/self/cgroup` may be the host's, and the limits are at the root of the mount.
 *
 * @param root folder of `proc` and `sys`, for tests
 */
export function cgroupLimits(root = '/'): CgroupLimits {
  const mount = join(root, 'sys/fs/cgroup');
  const cpus: number[] = [];
  const memory: number[] = [];
  for (const line of (read(join(root, 'proc/self/cgroup')) ?? '').split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    const names = controllers.split(',');
    // Version 2 has one hierarchy for all controllers, and an empty list of them.
    for (const directory of upwards(controllers === '' ? mount : join(mount, controllers), path)) {
      if (controllers === '') {
        cpus.push(...quotaV2(read(join(directory, 'cpu.max'))));
        memory.push(...bytes(read(join(directory, 'memory.max'))));
      }
      if (names.includes('cpu')) {
        cpus.push(
          ...quotaV1(read(join(directory, 'cpu.cfs_quota_us')), read(join(directory, 'cpu.cfs_period_us'))),
        );
      }
      if (names.includes('memory')) memory.push(...bytes(read(join(directory, 'memory.limit_in_bytes'))));
    }
  }
  return { cpus: least(cpus), memoryBytes: least(memory) };
}

function* upwards(mount: string, path: string): Generator<string> {
  for (let at = path; at !== '/' && at !== '.'; at = dirname(at)) yield join(mount, at);
  yield mount;
}

function quotaV2(text: string | undefined): number[] {
  const [quota, period = '100000'] = (text ?? 'max').trim().split(/\s+/);
  return quota === 'max' ? [] : positive(Number(quota) / Number(period));
}

/** A quota of −1 means no quota. */
function quotaV1(quota: string | undefined, period: string | undefined): number[] {
  return positive(Number(quota ?? -1) / Number(period ?? 100_000));
}

function bytes(text: string | undefined): number[] {
  const value = Number((text ?? 'max').trim());
  return value < NO_LIMIT_BYTES ? positive(value) : [];
}

function positive(value: number): number[] {
  return Number.isFinite(value) && value > 0 ? [value] : [];
}

function least(values: readonly number[]): number | undefined {
  return values.length === 0 ? undefined : Math.min(...values);
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}
