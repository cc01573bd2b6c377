import { readdirSync, readFileSync } from 'node:fs';

/**
 * On-CPU time of the main thread so far, in nanoseconds: exact (kept by the scheduler), where `getrusage` may
 * count in ticks. `undefined` where the kernel does not offer it.
 */
export function mainThreadCpuNs(): number | undefined {
  try {
    // A Linux process' main thread has the process' id.
    const [onCpu] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
    return Number(onCpu);
  } catch {
    return undefined;
  }
}

/** On-CPU time of all threads of a process so far, in nanoseconds. `undefined` where the kernel does not offer it. */
export function processCpuNs(pid: number): number | undefined {
  try {
    let sum = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [onCpu] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      sum += Number(onCpu);
    }
    return sum;
  } catch {
    return undefined;
  }
}
