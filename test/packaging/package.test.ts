import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { BUNDLERS_PAGE, NATIVE_PAGE, TESTING_PAGE } from '../../src/errors.ts';
import { Consumer, packedFiles, root } from './consumer.ts';

const consumer = new Consumer();
afterAll(() => consumer[Symbol.dispose]());

/** A module and all that it imports statically. */
function filesLoadedBy(file: string, loaded = new Set<string>()): Set<string> {
  if (loaded.has(file)) return loaded;
  loaded.add(file);
  for (const [, specifier = ''] of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*"(\.[^"]+)"/g))
    filesLoadedBy(join(dirname(file), specifier), loaded);
  return loaded;
}

const MODELS = `
import { deployment } from 'inserve';
export class Greeter {
  greet(name) { return 'hello ' + name; }
}
export const greeter = deployment(Greeter, { name: 'Greeter' }).bind();
`;

const APP = `
const serve = createServe(OPTIONS);
const handle = await serve.run(greeter);
console.log(await handle.greet.remote('packed'));
await serve.close();
`;

describe('the package', () => {
  test('holds what it needs, and nothing else', () => {
    const files = packedFiles();
    const unexpected = files.filter(
      ({ path }) =>
        !/^(?:dist\/.+\.(?:js|d\.ts)|dist\/python\/(?:inserve\/)?\w+\.py|docs\/(?:operations\/)?[\w-]+\.(?:md|svg)|LICENSE|README\.md|CHANGELOG\.md|package\.json)$/.test(
          path,
        ),
    );
    expect(unexpected).toEqual([]);
    const paths = files.map(({ path }) => path);
    for (const needed of [
      'dist/index.js',
      'dist/index.d.ts',
      'dist/isolation/thread/worker.js',
      'dist/python/runner.py',
      'dist/python/inserve/__init__.py',
      'LICENSE',
      'README.md',
    ]) {
      expect(paths).toContain(needed);
    }
    expect(paths.filter((path) => /^dist\/(?!testing\/).*test/.test(path))).toEqual([]);
    // A host loads few files: each costs time and memory.
    expect(filesLoadedBy(join(root, 'dist', 'index.js')).size).toBeLessThan(25);
    expect(files.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(2_500_000);
  });

  test('holds what its README links to', () => {
    const paths = packedFiles().map(({ path }) => path);
    const targets = [
      ...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/\]\((?!https?:|#)([^)#\s]+)/g),
    ];
    expect(targets.length).toBeGreaterThan(20);
    expect(targets.map(([, target]) => target).filter((target) => !paths.includes(target ?? ''))).toEqual([]);
  });

  test('holds the pages that its errors refer to', () => {
    const paths = packedFiles().map(({ path }) => path);
    expect([BUNDLERS_PAGE, NATIVE_PAGE, TESTING_PAGE].filter((page) => !paths.includes(page))).toEqual([]);
  });

  test('works for a consumer in ESM', () => {
    consumer.write('esm/models.mjs', MODELS);
    const app = `import { createServe } from 'inserve';\nimport { greeter } from './models.mjs';${APP}`;
    expect(consumer.run(consumer.write('esm/app.mjs', app.replace('OPTIONS', '{}')))).toBe('hello packed');
  });

  test('works for a consumer that requires it', () => {
    consumer.write(
      'cjs/models.cjs',
      MODELS.replace(/import (\{.*\}) from ('.*');/, 'const $1 = require($2);')
        .replace('export class', 'exports.Greeter = class')
        .replace('export const greeter', 'exports.greeter')
        .replace('deployment(Greeter', 'deployment(exports.Greeter'),
    );
    const app = `
      const { createServe, ServeError } = require('inserve');
      const { greeter } = require('./models.cjs');
      (async () => { ${APP.replace('OPTIONS', '{}')} console.log(require('inserve') === require('inserve'), typeof ServeError); })();`;
    expect(consumer.run(consumer.write('cjs/app.cjs', app))).toBe('hello packed\ntrue function');
  });

  test('leaves the host’s half out of its replicas, and nothing that user code may need', async () => {
    consumer.write(
      'lean/models.mjs',
      `import * as inserve from 'inserve';
      const { batch, context, createServe, deployment, serve, ServeError } = inserve;
      export class Twice {
        run = batch({ maxBatchSize: 4 }, async (items) => items.map((item) => item * 2));
      }
      export class Front {
        #twice;
        constructor(twice) { this.#twice = twice; }
        async report() {
          const code = (call) => { try { call(); } catch (error) { return error instanceof ServeError && error.code; } };
          return {
            names: Object.keys(inserve).sort().join(),
            twice: await this.#twice.run.remote(21),
            named: await serve.handle('Twice', { app: 'Front' }).run.remote(4),
            deployment: context().deployment,
            refused: [code(() => createServe()), code(() => serve.status()), serve.then],
            lateIsTheSame: (await import('inserve')).context === context,
            host: process.moduleLoadList.filter((name) => /NativeModule (?:http|cluster|crypto)$/.test(name)),
          };
        }
      }
      export const front = deployment(Front, { name: 'Front', module: import.meta.url })
        .bind(deployment(Twice, { name: 'Twice', module: import.meta.url }).bind());`,
    );
    const app = `
      import * as inserve from 'inserve';
      import { front } from './models.mjs';
      const serve = inserve.createServe();
      const report = await (await serve.run(front)).report.remote();
      await serve.close();
      console.log(JSON.stringify({ ...report, names: report.names === Object.keys(inserve).sort().join() }));`;
    expect(JSON.parse(consumer.run(consumer.write('lean/app.mjs', app)))).toEqual({
      names: true,
      twice: 42,
      named: 8,
      deployment: 'Front',
      refused: ['SERVE_MAIN_IN_WORKER', 'SERVE_MAIN_IN_WORKER', null],
      lateIsTheSame: true,
      host: [],
    });
  });

  test('exports its package.json and its worker entry', () => {
    const script = `
      console.log(import.meta.resolve('inserve/package.json').endsWith('inserve/package.json'));
      console.log(import.meta.resolve('inserve/worker').endsWith('dist/isolation/thread/worker.js'));
      await import('inserve/dist/serve.js').catch((error) => console.log(error.code));`;
    expect(consumer.run(consumer.write('exports.mjs', script))).toBe(
      'true\ntrue\nERR_PACKAGE_PATH_NOT_EXPORTED',
    );
  });

  test('exports what tests of an app use', () => {
    const script = "console.log(Object.keys(await import('inserve/testing')).join());";
    expect(consumer.run(consumer.write('testing.mjs', script))).toBe(
      'chaosProxy,fakeDeployment,faulty,testServe',
    );
  });

  test('exports a shell for each framework, none of which is loaded', () => {
    const script = `
      import { registerHooks } from 'node:module';
      registerHooks({ resolve: (name, context, next) => {
        if (/^(express|koa|fastify)$/.test(name)) throw new Error(name + ' is loaded');
        return next(name, context);
      } });
      for (const shell of ['express', 'fastify', 'koa', 'node'])
        console.log(Object.keys(await import('inserve/' + shell)).join());`;
    expect(consumer.run(consumer.write('shells.mjs', script))).toBe(
      'expressServe\nfastifyServe\nkoaServe\nnodeServe',
    );
  });
});

describe('a bundled app', () => {
  const options = {
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    logLevel: 'silent',
    minify: true,
    // Poolifier and its like are CommonJS inside.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    absWorkingDir: consumer.directory,
  } as const;
  const workerEntry = "{ workerEntry: new URL('./worker.js', import.meta.url).href }";

  test('starts its replicas from files of its own, the code shared', async () => {
    consumer.write('bundle/models.mjs', MODELS);
    const app = `import { createServe } from 'inserve';\nimport { greeter } from './models.mjs';${APP}`;
    consumer.write('bundle/app.mjs', app.replace('OPTIONS', workerEntry));
    consumer.write('bundle/worker.mjs', "import 'inserve/worker';");
    await build({
      ...options,
      entryPoints: ['bundle/app.mjs', 'bundle/models.mjs', 'bundle/worker.mjs'],
      splitting: true,
      outdir: join(consumer.directory, 'out'),
    });
    expect(consumer.run(join(consumer.directory, 'out', 'app.js'))).toBe('hello packed');
  });

  test('in one file, its server guarded by import.meta.main, works as well', async () => {
    const app = `
      import { createServe } from 'inserve';
      ${MODELS}
      if (process.argv[1] === (await import('node:url')).fileURLToPath(import.meta.url)) {
        const { isMainThread } = await import('node:worker_threads');
        if (isMainThread) { ${APP.replace('OPTIONS', workerEntry)} }
      }`;
    consumer.write('single/app.mjs', app);
    consumer.write('single/worker.mjs', "import 'inserve/worker';");
    const outdir = join(consumer.directory, 'single-out');
    await build({ ...options, entryPoints: ['single/app.mjs', 'single/worker.mjs'], outdir });
    expect(consumer.run(join(outdir, 'app.js'))).toBe('hello packed');
  });

  test('without its worker entry says what is missing', async () => {
    const app = `import { createServe } from 'inserve';\ntry { createServe(); } catch (error) { console.log(error.code, error.message); }`;
    consumer.write('lost/app.mjs', app);
    const outdir = join(consumer.directory, 'lost-out');
    await build({ ...options, entryPoints: ['lost/app.mjs'], outdir });
    expect(consumer.run(join(outdir, 'app.js'))).toMatch(
      /^SERVE_INVALID_OPTION createServe\.workerEntry: .*'inserve\/worker'/,
    );
  });
});
