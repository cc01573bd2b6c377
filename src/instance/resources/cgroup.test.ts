import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { cgroupLimits } from './cgroup.ts';

/** The root of a file system with these files, by path. */
function machine(files: Record<string, string>): string {
  const root = mkdtempSync(join(tmpdir(), 'inserve-cgroup-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const V2 = 'sys/fs/cgroup/app.slice';

test.each<[string, Record<string, string>, number | undefined, number | undefined]>([
  ['nothing at all', {}, undefined, undefined],
  [
    'version 2 without limits',
    {
      'proc/self/cgroup': '0::/app.slice\n',
      [`${V2}/cpu.max`]: 'max 100000\n',
      [`${V2}/memory.max`]: 'max\n',
    },
    undefined,
    undefined,
  ],
  [
    'version 2',
    {
      'proc/self/cgroup': '0::/app.slice\n',
      [`${V2}/cpu.max`]: '150000 100000\n',
      [`${V2}/memory.max`]: '1000000\n',
    },
    1.5,
    1_000_000,
  ],
  [
    'a parent is tighter',
    {
      'proc/self/cgroup': '0::/app.slice/job\n',
      [`${V2}/job/cpu.max`]: '400000 100000\n',
      [`${V2}/cpu.max`]: '50000 100000\n',
      [`${V2}/job/memory.max`]: '2000000\n',
      [`${V2}/memory.max`]: '3000000\n',
    },
    0.5,
    2_000_000,
  ],
  [
    "a container that sees the host's path: its limits are at the root of the mount",
    { 'proc/self/cgroup': '0::/docker/4a1f\n', 'sys/fs/cgroup/cpu.max': '200000 100000\n' },
    2,
    undefined,
  ],
  [
    'version 1',
    {
      'proc/self/cgroup': '4:memory:/job\n3:cpu,cpuacct:/job\n1:name=systemd:/\n0::/\n',
      'sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_quota_us': '250000\n',
      'sys/fs/cgroup/cpu,cpuacct/job/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/memory/job/memory.limit_in_bytes': '5000000\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    },
    2.5,
    5_000_000,
  ],
  [
    'version 1 without limits',
    {
      'proc/self/cgroup': '3:cpu,cpuacct:/\n2:memory:/\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us': '-1\n',
      'sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us': '100000\n',
      'sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712\n',
    },
    undefined,
    undefined,
  ],
  [
    'nonsense',
    { 'proc/self/cgroup': 'x\n0::/a\n', 'sys/fs/cgroup/a/cpu.max': 'a b\n' },
    undefined,
    undefined,
  ],
])('%s', (_name, files, cpus, memoryBytes) => {
  expect(cgroupLimits(machine(files))).toEqual({ cpus, memoryBytes });
});
