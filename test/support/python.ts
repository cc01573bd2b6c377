import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';

/** The interpreter of the tests: `INSERVE_TEST_PYTHON`, else `python3`. */
export const PYTHON: string = process.env['INSERVE_TEST_PYTHON'] ?? 'python3';

/** Whether Python 3.9 or newer is there. In CI its absence is a failure. */
export const HAS_PYTHON: boolean =
  process.env['CI'] !== undefined ||
  spawnSync(PYTHON, ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0;

// The threads of tests load a bundle that lies elsewhere.
process.env['INSERVE_PYTHON_RUNNER'] ??= resolve('python/runner.py');
