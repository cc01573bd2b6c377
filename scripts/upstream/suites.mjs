/** How the suites are run, and where the middleware gets in front of their apps. */
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const REPORTER = fileURLToPath(new URL('reporter.mjs', import.meta.url));

/** Replaces a file of the sources; `restore` brings it back. */
function replace(directory, file, content) {
  const path = join(directory, file);
  copyFileSync(path, `${path}.plain`);
  writeFileSync(path, content(readFileSync(path, 'utf8')));
}

function restorer(file) {
  return (directory) => {
    const path = join(directory, file);
    if (existsSync(`${path}.plain`)) renameSync(`${path}.plain`, path);
  };
}

/** Results of `node --test` with the reporter that prints lines. */
function readLines(stdout) {
  const passed = new Set();
  const failed = new Map();
  for (const line of stdout.split('\n')) {
    if (!line.startsWith('{"test":')) continue;
    const { test, isPassed, error } = JSON.parse(line);
    if (isPassed) passed.add(test);
    else failed.set(test, `    ${error}`);
  }
  for (const test of failed.keys()) passed.delete(test);
  return { passed, failed };
}

/** A test that hangs fails after a while, and what it leaves open ends with its process. */
function nodeTest(...all) {
  const options = [`--test-reporter=${REPORTER}`, '--test-reporter-destination=stdout', '--test-force-exit'];
  return (files = all) => ({
    command: process.execPath,
    args: ['--test', '--test-timeout=60000', '--test-concurrency=2', ...options, ...files],
  });
}

/** The file of a test, as its name tells. */
const fileOf = (test) => test.slice(0, test.indexOf(':'));

function readMocha(stdout) {
  const { passes, failures } = JSON.parse(stdout.slice(stdout.indexOf('{\n  "stats"')));
  return {
    passed: new Set(passes.map(({ fullTitle }) => fullTitle)),
    failed: new Map(failures.map(({ fullTitle, err }) => [fullTitle, `    ${err.message}`])),
  };
}

export const SUITES = {
  express: {
    repository: 'expressjs/express',
    tests: () => ({
      command: process.execPath,
      args: [
        ...['node_modules/mocha/bin/mocha.js', '--require', 'test/support/env', '--reporter', 'json'],
        ...['--check-leaks', '--exit', '--timeout', '20000', 'test/', 'test/acceptance/'],
      ],
    }),
    read: readMocha,
    restore: restorer('index.js'),
    /** As the first layer of each app's router, which is made when it is needed: after the app's settings. */
    wrap(directory, mounts, mount) {
      if (mount === 'plain') return;
      const code = `
        const express = require('./lib/express');
        const { path = '/', middleware } = require(${JSON.stringify(mounts)}).mountOf('${mount}');
        function wrapped() {
          const app = express();
          const { get } = Object.getOwnPropertyDescriptor(app, 'router');
          let router;
          Object.defineProperty(app, 'router', {
            configurable: true,
            enumerable: true,
            get() {
              if (router === undefined) {
                router = get.call(this);
                router.use(path, middleware);
              }
              return router;
            },
          });
          return app;
        }
        module.exports = Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(express));
      `;
      replace(directory, 'index.js', () => code);
    },
  },
  koa: {
    repository: 'koajs/koa',
    tests: nodeTest('__tests__/**/*.test.js'),
    read: readLines,
    fileOf,
    restore: restorer(join('lib', 'application.js')),
    /** Before the middleware of each app, when its callback is made. */
    wrap(directory, mounts, mount) {
      if (mount === 'plain') return;
      const code = `
        {
          const { prototype } = module.exports;
          const { callback } = prototype;
          let first;
          function wrapped() {
            const { path, middleware } = require(${JSON.stringify(mounts)}).mountOf('${mount}');
            const isOurs = (ctx) => path === undefined || ctx.path === path || ctx.path.startsWith(path + '/');
            return (ctx, next) => (isOurs(ctx) ? middleware(ctx, next) : next());
          }
          prototype.callback = function () {
            first ??= wrapped();
            if (!this.middleware.includes(first)) this.middleware.unshift(first);
            return callback.call(this);
          };
        }
      `;
      replace(directory, join('lib', 'application.js'), (source) => `${source}\n${code}`);
    },
  },
  fastify: {
    // The package on npm carries its tests. Those of bundlers install packages of their own.
    tests: nodeTest('test/*.test.js', 'test/{build,hooks,internals,logger}*/**/*.test.js'),
    read: readLines,
    fileOf,
    restore: restorer('fastify.js'),
    /** Under `@fastify/middie`, in a plugin that each app registers first; the plain suite has a middleware that does nothing. */
    wrap(directory, mounts, mount) {
      const middie = createRequire(mounts).resolve('@fastify/middie');
      const code = `
        {
          const fastify = module.exports;
          const middie = require(${JSON.stringify(middie)});
          let mounted;
          const mountOf = () => {
            if ('${mount}' === 'plain') return { middleware: (_req, _res, next) => next() };
            return require(${JSON.stringify(mounts)}).mountOf('${mount}');
          };
          function wrapped(options) {
            const app = fastify(options);
            mounted ??= mountOf();
            const inFront = async (instance) => {
              await instance.register(middie);
              const { path, middleware } = mounted;
              if (path === undefined) instance.use(middleware);
              else instance.use(path, middleware);
            };
            inFront[Symbol.for('skip-override')] = true;
            app.register(inFront);
            return app;
          }
          module.exports = Object.defineProperties(wrapped, Object.getOwnPropertyDescriptors(fastify));
          module.exports.fastify = module.exports.default = wrapped;
        }
      `;
      replace(directory, 'fastify.js', (source) => `${source}\n${code}`);
    },
  },
};
