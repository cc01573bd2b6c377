import { readFile } from 'node:fs/promises';

const COUNTED = /^Rss(?:Anon|Shmem):\s+(\d+) kB$/gm;
const KIB = 1_024;

/**
 * Resident memory of a process without the files that it maps, such as its libraries, in bytes. Undefined where it cannot be
 * read, and once the process is gone.
 */
export async function processMemory(pid: number): Promise<number | undefined> {
  try {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    const counts = [...status.matchAll(COUNTED)].map(([, count]) => Number(count));
    return counts.length === 0 ? undefined : counts.reduce((sum, count) => sum + count) * KIB;
  } catch {
    return undefined;
  }
}
