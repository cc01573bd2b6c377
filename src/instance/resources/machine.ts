import { execFile } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { MIB } from '../../validation/bytes.ts';
import { type CgroupLimits, cgroupLimits } from './cgroup.ts';

/** Share of the memory that replicas may use: the rest is left to the host and the system. */
const USABLE_MEMORY = 0.9;
const NVIDIA_SMI_TIMEOUT_MS = 5_000;

/**
 * Cpus that this process may use. `availableParallelism` respects the affinity and rounds a quota down to whole cpus; the
 * quota itself may be 1.5.
 */
export function detectCpus(
  { cpus: quota }: CgroupLimits = cgroupLimits(),
  parallelism = availableParallelism(),
): number {
  return quota !== undefined && quota < parallelism + 1 ? Math.min(quota, cpus().length) : parallelism;
}

/** MiB that this process may use: 90 % of the machine's, or of its control group's limit. */
export function detectMemoryMb({ memoryBytes = Infinity }: CgroupLimits = cgroupLimits()): number {
  return Math.floor((Math.min(memoryBytes, totalmem()) * USABLE_MEMORY) / MIB);
}

/**
 * Ids of the gpus in the form of `CUDA_VISIBLE_DEVICES`: its entries if it is set, else all gpus that `nvidia-smi` lists.
 * Empty without that program.
 */
export async function detectGpus(env: NodeJS.ProcessEnv = process.env): Promise<readonly string[]> {
  const visible = env['CUDA_VISIBLE_DEVICES'];
  if (visible !== undefined) return visibleGpus(visible);
  const { promise, resolve } = Promise.withResolvers<string>();
  const query = ['--query-gpu=index', '--format=csv,noheader'];
  execFile('nvidia-smi', query, { env, timeout: NVIDIA_SMI_TIMEOUT_MS }, (error, stdout) =>
    resolve(error === null ? stdout : ''),
  );
  return (await promise)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => /^\d+$/.test(line));
}

/** CUDA ignores all entries from the first invalid one on; −1 is the customary one. */
export function visibleGpus(visible: string): readonly string[] {
  const ids = visible.split(',').map((id) => id.trim());
  const end = ids.findIndex((id) => id === '' || id.startsWith('-'));
  return end === -1 ? ids : ids.slice(0, end);
}
