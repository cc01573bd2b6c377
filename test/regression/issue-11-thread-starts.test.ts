import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { threadFlags } from '../../src/isolation/thread/exec-argv.ts';

const run = promisify(execFile);
const INDEX = new URL('../../src/index.ts', import.meta.url).href;
const BASIC = new URL('../fixtures/calls/basic.ts', import.meta.url).href;

const PROGRAM = `
import { createServe } from ${JSON.stringify(INDEX)};
import { basic } from ${JSON.stringify(BASIC)};
const serve = createServe();
const handle = await serve.run(basic.bind());
console.log(await handle.echo.remote('answer'));
await serve.close();
`;

test('replicas start in a program that is given as text', async () => {
  const flags = ['--max-old-space-size=512', '--input-type=module', '-e', PROGRAM];
  const { stdout } = await run(process.execPath, flags, { timeout: 120_000 });
  expect(stdout).toContain('answer');
});

const REFUSED = `
import { createServe } from ${JSON.stringify(INDEX)};
import { basic } from ${JSON.stringify(BASIC)};
const serve = createServe({ resources: { cpus: 4 } });
const app = basic.options({ numReplicas: 1, resources: { cpus: 1 } }).bind();
const error = await serve.run(app).catch((error) => error);
const { status } = serve.status().apps.Basic;
console.log(JSON.stringify({ code: error.code, cause: error.cause?.code, status }));
await serve.close({ timeoutMs: 1_000 });
`;

test('a thread that cannot be made is a failed start', async () => {
  const flags = ['--permission', '--allow-fs-read=*', '--input-type=module', '-e', REFUSED];
  const { stdout } = await run(process.execPath, flags, { timeout: 120_000 });
  expect(stdout).toContain(
    '{"code":"SERVE_DEPLOY_FAILED","cause":"ERR_ACCESS_DENIED","status":"DEPLOY_FAILED"}',
  );
});

test('a thread inherits the flags of the host unless they hold a program', () => {
  expect(threadFlags([])).toBeUndefined();
  expect(threadFlags(['--max-old-space-size=512', '--import', 'tsx'])).toBeUndefined();
  expect(threadFlags(['--import', 'tsx', '--title=x', '-e', '1', '--conditions=dev'])).toEqual([
    '--import',
    'tsx',
    '--conditions=dev',
  ]);
  expect(threadFlags(['--input-type=module'])).toEqual([]);
});
