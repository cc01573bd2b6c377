/** How the suites are run, and where the middleware gets in front of their apps. */
import { copyFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

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
};
