/**
 * Runs the suites of Express, Koa and Fastify as they are, and with the middleware in front of every app that they make; a test that
 * passes only without it, and is not listed in `scripts/upstream/known-differences.mjs`, is a failure.
 *
 *   npm run test:upstream
 *   npm run test:upstream -- express --checkout ../express   the sources from a directory
 *   npm run test:upstream -- express --mount prefix          one of the mounts: none, passthrough, prefix
 *
 * Fastify's package on npm carries its tests. Those of Express and Koa do not, so their sources come from GitHub, at the version that is
 * installed here.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { KNOWN } from './upstream/known-differences.mjs';
import { SUITES } from './upstream/suites.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Below no directory whose name begins with a dot: Express serves no files from there. */
const cache = join(tmpdir(), 'inserve-upstream');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { checkout: { type: 'string' }, mount: { type: 'string' } },
});

function run(command, args, cwd, env = {}) {
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  return spawnSync(command, args, {
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, PATH: path, ...env },
  });
}

function versionOf(name) {
  return JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version;
}

function must({ status, stderr, error }, what, hint = '') {
  if (status === 0) return;
  console.error(`${what} failed${hint}\n${error?.message ?? stderr}`);
  process.exit(2);
}

/** A copy of the sources with what their tests need, to be changed freely. */
function prepare(name, suite) {
  const version = versionOf(name);
  const directory = join(cache, `${name}-${values.checkout === undefined ? version : 'checkout'}`);
  if (values.checkout !== undefined) {
    rmSync(directory, { recursive: true, force: true });
    cpSync(resolve(values.checkout), directory, { recursive: true });
  } else if (!existsSync(directory)) {
    mkdirSync(directory, { recursive: true });
    if (suite.repository === undefined)
      cpSync(join(root, 'node_modules', name), directory, { recursive: true, dereference: true });
    else fromGitHub(name, suite.repository, version, directory);
  }
  if (!existsSync(join(directory, 'node_modules')))
    must(
      run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], directory),
      `${name}: npm install`,
    );
  return directory;
}

function fromGitHub(name, repository, version, directory) {
  const url = `https://github.com/${repository}`;
  const clone = ['clone', '--quiet', '--depth', '1', '--branch', `v${version}`, url, directory];
  const result = run('git', clone, root);
  if (result.status !== 0) rmSync(directory, { recursive: true, force: true });
  const hint = `; get ${url} at v${version} (or near it) yourself and run: npm run test:upstream -- ${name} --checkout DIR`;
  must(result, `${name}: git clone ${url}`, hint);
}

/** Names of the tests of a suite that passed, and of those that failed. */
function outcome(suite, directory, mount, files) {
  suite.restore(directory);
  suite.wrap(directory, join(root, 'scripts', 'upstream', 'mounts.mjs'), mount);
  try {
    const { command, args } = suite.tests(files);
    const { stdout, stderr } = run(command, args, directory, {
      NODE_OPTIONS: '--no-warnings',
      NODE_ENV: 'test',
    });
    const results = suite.read(stdout);
    if (results.passed.size + results.failed.size === 0)
      must({ status: 1, stderr: stdout + stderr }, 'the suite');
    return results;
  } finally {
    suite.restore(directory);
  }
}

/**
 * Tests of these suites that are lost by chance (ports, timers, a process that ends while another test begins) are found by a
 * second run of their files alone.
 */
function lostTwice(suite, directory, mount, lost) {
  if (lost.length === 0 || suite.fileOf === undefined) return lost;
  const { passed } = outcome(suite, directory, mount, [...new Set(lost.map(suite.fileOf))]);
  return lost.filter((test) => !passed.has(test));
}

let isBad = false;
for (const [name, suite] of Object.entries(SUITES)) {
  if (positionals.length > 0 && !positionals.includes(name)) continue;
  const directory = prepare(name, suite);
  const plain = outcome(suite, directory, 'plain');
  console.log(`${name}: ${plain.passed.size} pass, ${plain.failed.size} fail without the middleware`);
  for (const mount of values.mount === undefined ? ['none', 'passthrough', 'prefix'] : [values.mount]) {
    const { passed, failed } = outcome(suite, directory, mount);
    const lost = [...plain.passed].filter((test) => !passed.has(test));
    const known = lost.filter((test) => KNOWN[name].some(({ test: listed }) => listed.test(test)));
    const candidates = lost.filter((test) => !known.includes(test));
    const unknown = lostTwice(suite, directory, mount, candidates);
    console.log(
      `${name}, ${mount}: ${passed.size} pass, ${failed.size} fail; ${known.length} known differences`,
    );
    for (const test of unknown)
      console.log(`  differs: ${test}\n${failed.get(test) ?? '    it did not run'}`);
    isBad ||= unknown.length > 0;
  }
}
process.exit(isBad ? 1 : 0);
