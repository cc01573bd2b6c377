/**
 * Gives the OpenAPI documents of test/support/openapi-server.ts to the tools that people use, and lets schemathesis call the
 * apps by them: `npm run test:openapi`, or `npm run test:openapi -- shop open` for some of the documents. The tools come
 * from npm and PyPI, next to the other dependencies; Python 3 with venv must be there.
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const NPM = ['@redocly/cli@2', '@stoplight/spectral-cli@6', 'openapi-typescript@7'];
const PYPI = ['schemathesis==4.*', 'openapi-spec-validator==0.*'];
/** Cases that schemathesis makes for each operation, beside those that cover its schemas. */
const EXAMPLES = 50;
/** Apps whose schemas refuse more than JSON Schema can say: dates, and strings that must be JSON. */
const NARROWER = ['recursive', 'arktype'];
/** Ingresses without an input schema, which are asked with any method. */
const OPEN = ['bare', 'time'];

const root = fileURLToPath(new URL('..', import.meta.url));
const directory = join(root, 'node_modules', '.cache', 'openapi');
const bin = (name) => join(directory, 'node_modules', '.bin', name);
const py = (name) => join(directory, 'venv', 'bin', name);

/** Runs a program; its output is shown if it fails. @returns whether it succeeded */
function run(command, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: directory,
    encoding: 'utf8',
    ...options,
  });
  if (status === 0) return true;
  console.error(`${command} ${args.join(' ')}\n${error ?? ''}${stdout ?? ''}${stderr ?? ''}`);
  return false;
}

function install() {
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'spectral.yaml'), 'extends: ["spectral:oas"]\n');
  if (!existsSync(bin('redocly'))) {
    writeFileSync(join(directory, 'package.json'), '{ "private": true }');
    const quiet = ['--no-audit', '--no-fund', '--loglevel=error'];
    if (!run('npm', ['install', '--no-save', ...quiet, ...NPM])) process.exit(1);
  }
  if (existsSync(py('schemathesis'))) return;
  if (!run('python3', ['-m', 'venv', 'venv']) || !run(py('pip'), ['install', '-q', ...PYPI])) process.exit(1);
}

/** Starts the apps. @returns where, which documents there are, and what ends them */
async function start() {
  const server = spawn(process.execPath, [join(root, 'test', 'support', 'openapi-server.ts')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    return { ...JSON.parse(line), stop: () => server.kill() };
  }
  throw new Error('the apps did not start');
}

install();
const { port, names, stop } = await start();
const url = `http://127.0.0.1:${port}`;
const chosen = names.filter((name) => process.argv.length === 2 || process.argv.includes(name));
const fileOf = (name) => join(directory, `${name}.json`);
for (const name of chosen) {
  writeFileSync(fileOf(name), await (await fetch(`${url}/documents/${name}.json`)).text());
}

const failed = [];
function check(what, command, args) {
  const isGood = run(command, args);
  console.log(`${isGood ? 'passed' : 'FAILED'} ${what}`);
  if (!isGood) failed.push(what);
}

const files = chosen.map(fileOf);
const rules = ['--ruleset', join(directory, 'spectral.yaml'), '--fail-severity', 'error'];
check('redocly', bin('redocly'), ['lint', '--extends=minimal', ...files]);
check('spectral', bin('spectral'), ['lint', ...rules, ...files]);
check('openapi-spec-validator', py('openapi-spec-validator'), files);
for (const name of chosen) {
  check(`openapi-typescript ${name}`, bin('openapi-typescript'), [
    fileOf(name),
    '-o',
    join(directory, `${name}.d.ts`),
  ]);
  const options = ['--url', url, '--max-examples', String(EXAMPLES), '--seed', '1', '--no-color'];
  const skipped = [
    ...(NARROWER.includes(name) ? ['--exclude-checks', 'positive_data_acceptance'] : []),
    ...(OPEN.includes(name) ? ['--exclude-checks', 'unsupported_method'] : []),
  ];
  check(`schemathesis ${name}`, py('schemathesis'), ['run', fileOf(name), ...options, ...skipped]);
}
stop();
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join(', ')}`);
  process.exit(1);
}
