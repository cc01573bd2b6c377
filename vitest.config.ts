import { defineConfig } from 'vitest/config';

// Every replica's thread compiles the sources anew: 450 ms of CPU each, 150 ms with Node's own cache.
process.env['NODE_COMPILE_CACHE'] ??= 'node_modules/.cache/compile';

/** What does not mind a busy machine: two files at a time, before everything else. */
const SIDE_BY_SIDE = [
  'src/**/*.test.ts',
  'bench/**/*.test.ts',
  'sim/**/*.test.ts',
  'examples/**/*.test.ts',
  'test/*.test.ts',
  'test/{acceptance,packaging,types}/**/*.test.ts',
  'test/integration/{every-framework,express,fastify,ingress-routers,koa,node-http,validation}/**/*.test.ts',
];

export default defineConfig({
  test: {
    // Poolifier refuses to make pools inside a worker thread.
    pool: 'forks',
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // The default of 1 s is less than a replica's start on a busy machine.
    expect: { poll: { timeout: 10_000 } },
    projects: [
      {
        extends: true,
        test: { name: 'side by side', include: SIDE_BY_SIDE, maxWorkers: 2, sequence: { groupOrder: 0 } },
      },
      {
        extends: true,
        test: {
          name: 'alone',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...SIDE_BY_SIDE],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
