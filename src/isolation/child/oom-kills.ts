import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const MOUNT = '/sys/fs/cgroup';

/**
 * Number of processes that the kernel has killed because the control group of this process was out of memory; undefined
 * where the count cannot be read.
 */
export function oomKills(): number | undefined {
  try {
    const path = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    return countIn(join(MOUNT, path, 'memory.events')) ?? countIn(join(MOUNT, 'memory.events'));
  } catch {
    return undefined;
  }
}

function countIn(file: string): number | undefined {
  try {
    const count = /^oom_kill (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1];
    return count === undefined ? undefined : Number(count);
  } catch {
    return undefined;
  }
}
