import type { PythonSource } from '../../../deployment/python/python-plan.ts';
import { withoutSecrets } from '../child-environment.ts';

/**
 * The environment of a Python process: that of its replica's thread, with defaults for what is not set. Number libraries start
 * as many threads as the machine has cores, in each replica; several replicas would slow each other down (kserve #1031).
 *
 * @param cores cores of the machine
 */
export function pythonEnvironment(
  env: NodeJS.ProcessEnv,
  { cores: reserved, replicas }: PythonSource,
  cores: number,
): NodeJS.ProcessEnv {
  const threads = String(Math.max(1, Math.floor(reserved ?? cores / Math.max(1, replicas))));
  return {
    PYTHONUNBUFFERED: '1',
    PYTHONUTF8: '1',
    OMP_NUM_THREADS: threads,
    MKL_NUM_THREADS: threads,
    OPENBLAS_NUM_THREADS: threads,
    TOKENIZERS_PARALLELISM: 'false',
    ...withoutSecrets(env),
  };
}
