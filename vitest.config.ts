import { availableParallelism } from 'node:os';
import { defineConfig, type Plugin } from 'vitest/config';

// A replica's thread, even one that loads a bundle, starts twice as fast with Node's compile cache.
process.env['NODE_COMPILE_CACHE'] ??= 'node_modules/.cache/compile';

/** Tests that measure time, load or memory: one file at a time, after everything else. */
const ALONE = [
  'test/{fault,leak}/**/*.test.ts',
  'test/integration/{batching,computing}/**/*.test.ts',
  'test/integration/overload/{ejection,host-guards,retries}.test.ts',
  'test/conformance/batching.test.ts',
  'test/regression/issue-11-{close-limit,paused-process}.test.ts',
];

/**
 * Conformance cases about replicas, which run once more with replicas in child processes. All other files of
 * `test/conformance` pass there, too, and have nothing to add.
 */
const IN_PROCESSES = 'test/conformance/{batching,composition,deploy,drain,health,ranks,streaming}.test.ts';

/** Faults of processes and networks that take minutes. */
const LONG = process.env['INSERVE_TEST_FAULT'] === '1' ? [] : ['test/fault/long/**'];

/** The same cases against classes in Python, whose processes take a second each to start. */
const IN_PYTHON = 'test/conformance/python/**/*.test.ts';

/** Where the default isolation stands, and what it becomes. */
const DEFAULT_ISOLATION = {
  file: 'src/deployment/options/deployment-options.ts',
  code: "isolation: 'thread',",
};

/** Makes `isolation: 'process'` the default of the sources, so that the cases are the same to the letter. */
const inProcesses: Plugin = {
  name: 'replicas in processes',
  enforce: 'pre',
  transform(code, id) {
    if (!id.endsWith(DEFAULT_ISOLATION.file)) return undefined;
    if (!code.includes(DEFAULT_ISOLATION.code)) throw new Error('the default isolation has moved');
    return code.replace(DEFAULT_ISOLATION.code, "isolation: 'process',");
  },
};

/** A file waits for threads and sockets about a third of its time, so two cores have room for three files. */
const SIDE_BY_SIDE_WORKERS = Math.max(3, availableParallelism());

const IN_PROCESSES_PROJECT = {
  extends: true as const,
  plugins: [inProcesses],
  test: {
    name: 'in processes',
    include: [IN_PROCESSES],
    env: { INSERVE_TEST_ISOLATION: 'process' },
    // A process takes three times as long to start as a thread.
    testTimeout: 180_000,
    maxWorkers: 2,
  },
};

const IN_PYTHON_PROJECT = {
  extends: true as const,
  test: { name: 'in Python', include: [IN_PYTHON], testTimeout: 180_000, maxWorkers: 2 },
};

/** `npm run test:processes` runs these alone, since they take two minutes. */
const HAS_PROCESSES = process.env['INSERVE_TEST_PROCESSES'] === '1';

export default defineConfig({
  test: {
    // Poolifier refuses to make pools inside a worker thread.
    pool: 'forks',
    globalSetup: 'test/support/threads/bundle.ts',
    setupFiles: process.env['INSERVE_TEST_CPU'] === undefined ? [] : ['test/support/cpu-report.ts'],
    // Limits against hangs only: a busy machine may be ten times slower than an idle one.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    projects: HAS_PROCESSES
      ? [IN_PROCESSES_PROJECT, IN_PYTHON_PROJECT]
      : [
          {
            extends: true,
            test: {
              name: 'side by side',
              include: ['{src,test,bench,sim,examples}/**/*.test.ts'],
              exclude: ['**/node_modules/**', IN_PYTHON, ...ALONE],
              maxWorkers: SIDE_BY_SIDE_WORKERS,
              sequence: { groupOrder: 0 },
            },
          },
          {
            extends: true,
            test: {
              name: 'alone',
              include: ALONE,
              exclude: ['**/node_modules/**', ...LONG],
              maxWorkers: 1,
              sequence: { groupOrder: 1 },
            },
          },
        ],
  },
});
