import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig, type Plugin } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// A replica's thread, even one that loads a bundle, starts twice as fast with Node's compile cache.
process.env['NODE_COMPILE_CACHE'] ??= 'node_modules/.cache/compile';

/** Tests that measure time, load or memory: one file at a time, after everything else. */
const ALONE = [
  'test/{fault,leak}/*.test.ts',
  'test/integration/{batching,computing}/**/*.test.ts',
  'test/integration/overload/{ejection,host-guards,retries}.test.ts',
  'test/conformance/batching.test.ts',
  'test/regression/issue-11-close-limit.test.ts',
];

/** Long runs under load and with faults, which `npm run test:fault` runs one at a time. */
const LONG_RUNS = 'test/fault/long/**/*.test.ts';

/** Tests of which `npm test` has a share: fewer seeds, and the essential cases (test/support/long-run.ts). */
const SHARED_OUT = [
  'sim/**/sim.test.ts',
  'src/wire/codec.test.ts',
  'test/acceptance/first-day.test.ts',
  'test/conformance/updates.test.ts',
  'test/integration/child-processes/deaths.test.ts',
  'test/integration/{fastify,koa}/{koa,middie,plugin}.test.ts',
  'test/integration/node-http/listener.test.ts',
  'test/integration/shutdown/replacement.test.ts',
  'test/packaging/bundlers.test.ts',
];
/** The same, of tests that are run one at a time. */
const SHARED_OUT_ALONE = ['test/fault/{faults,python}.test.ts'];

/**
 * Units that share a process, and so the modules that they load: a process of its own costs each file 0.2 s of CPU time.
 */
const UNITS = '{src,sim}/**/*.test.ts';

/** Units that change or measure their whole process: its timers and clock, its environment, its heap, its threads. */
const OWN_PROCESS = [
  'src/**/{*.threads,growth,memory-growth-guard,mounts,result-cache}.test.ts',
  'src/batching/multiplexed.test.ts',
  'src/channel/{caller-channel-close,outbox,replica-channel}.test.ts',
  'src/cluster/{fleet-settings,own-address}.test.ts',
  'src/cluster/peers/**/*.test.ts',
  'src/handle/endpoints/tiers.test.ts',
  'src/handle/policies/retry-budget.test.ts',
  'src/handle/routing/{route,route-property,waits}.test.ts',
  'src/instance/resources/resource-ledger.test.ts',
  'src/isolation/**/*.test.ts',
  'src/load/second-counts.test.ts',
  'src/testing/*.test.ts',
  'src/time/*.test.ts',
  'src/values/{error-envelope,memory}.test.ts',
  'src/wire/{fuzz,large,link,vectors}.test.ts',
];

/**
 * Conformance cases about replicas, which run once more with replicas in child processes. All other files of
 * `test/conformance` pass there, too, and have nothing to add.
 */
const IN_PROCESSES = 'test/conformance/{batching,composition,deploy,drain,health,ranks,streaming}.test.ts';

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

/** The frameworks of `npm run test:matrix` that take the place of the installed ones, by their folder. */
const frameworks = process.env['INSERVE_TEST_FRAMEWORKS'];
const alias =
  frameworks === undefined
    ? []
    : ['express', 'koa'].map((name) => ({
        find: new RegExp(`^${name}$`),
        replacement: createRequire(join(frameworks, 'package.json')).resolve(name),
      }));

/** A file computes 0.4 s in a second and waits for threads, processes and timers else, so two cores have room for five. */
const SIDE_BY_SIDE_WORKERS = availableParallelism() + 3;

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

/** Files that take longer than their size tells. */
const LONG_FILES =
  /\/(?:bundlers|calls|deaths|express|fleet-seeds|handles|hosts|instance|koa|listener|middie|plugin|redis|reload|replica-life|replacement|sim|trials|updates)\.test\.ts$/;

/** Begins with the long files, so that at the end no core waits for one of them. */
class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification): number => Number(LONG_FILES.test(moduleId));
    return (await super.sort(files)).toSorted((a, b) => isLong(b) - isLong(a));
  }
}

const LONG_PROJECTS = [
  {
    extends: true as const,
    test: {
      name: 'whole',
      include: SHARED_OUT,
      testTimeout: 180_000,
      maxWorkers: SIDE_BY_SIDE_WORKERS,
      sequence: { groupOrder: 0 },
    },
  },
  {
    extends: true as const,
    test: {
      name: 'long',
      include: [LONG_RUNS, ...SHARED_OUT_ALONE],
      testTimeout: 180_000,
      maxWorkers: 1,
      sequence: { groupOrder: 1 },
    },
  },
];

const USUAL_PROJECTS = [
  {
    extends: true as const,
    test: {
      name: 'units',
      include: [UNITS],
      exclude: OWN_PROCESS,
      isolate: false,
      maxWorkers: SIDE_BY_SIDE_WORKERS,
      sequence: { groupOrder: 0 },
    },
  },
  {
    extends: true as const,
    test: {
      name: 'side by side',
      include: ['{test,bench,examples}/**/*.test.ts', ...OWN_PROCESS],
      exclude: ['**/node_modules/**', ...ALONE, LONG_RUNS, IN_PYTHON],
      maxWorkers: SIDE_BY_SIDE_WORKERS,
      sequence: { groupOrder: 0 },
    },
  },
  {
    extends: true as const,
    test: { name: 'alone', include: ALONE, maxWorkers: 1, sequence: { groupOrder: 1 } },
  },
];

/** `npm run test:processes` and `npm run test:fault` have their own tests, since they take minutes. */
function projects() {
  if (process.env['INSERVE_TEST_PROCESSES'] === '1') return [IN_PROCESSES_PROJECT, IN_PYTHON_PROJECT];
  return process.env['INSERVE_TEST_FAULT'] === '1' ? LONG_PROJECTS : USUAL_PROJECTS;
}

export default defineConfig({
  resolve: { alias },
  test: {
    // Poolifier refuses to make pools inside a worker thread.
    pool: 'forks',
    // The inspector tells its address by HTTP alone, not on stderr.
    execArgv: ['--inspect-publish-uid=http'],
    globalSetup: 'test/support/threads/bundle.ts',
    setupFiles: process.env['INSERVE_TEST_CPU'] === undefined ? [] : ['test/support/cpu-report.ts'],
    // Limits against hangs only: a busy machine may be ten times slower than an idle one.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    sequence: { sequencer: LongFilesFirst },
    projects: projects(),
  },
});
