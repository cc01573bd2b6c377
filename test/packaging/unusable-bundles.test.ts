import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { Consumer } from './consumer.ts';

const consumer = new Consumer();
afterAll(() => consumer[Symbol.dispose]());

const MODELS = `
import { deployment } from 'inserve';
export class Greeter {
  greet(name) { return 'hello ' + name; }
}
export const greeter = deployment(Greeter, { name: 'Greeter' }).bind();`;

const SERVER = `
import { createServer } from 'node:http';
import { serve } from 'inserve';
import { greeter } from './models.mjs';
const server = createServer(serve.middleware(greeter));
server.listen(0);`;

/** The output of a server that is bundled into one file; it must end by itself with an error. */
async function failure(name: string, file: string, options: BuildOptions): Promise<string> {
  consumer.write(`${name}/models.mjs`, MODELS);
  consumer.write(`${name}/server.mjs`, SERVER);
  const outfile = join(consumer.directory, name, 'out', file);
  await build({
    bundle: true,
    platform: 'node',
    target: 'node22',
    logLevel: 'silent',
    absWorkingDir: consumer.directory,
    entryPoints: [`${name}/server.mjs`],
    outfile,
    ...options,
  });
  try {
    return `it ended well: ${consumer.run(outfile)}`;
  } catch (error) {
    return String(error);
  }
}

describe('a server and its deployments in one bundle', () => {
  test.each([
    ['esm', 'server.mjs'],
    ['cjs', 'server.cjs'],
  ] as const)('fail at start, and say why (%s)', async (format, file) => {
    const output = await failure(`one-${format}`, file, { format, packages: 'external' });
    expect(output).toContain(
      `serve.middleware() was called while a replica imported one-${format}/out/${file}: the deployment 'Greeter' is declared in ` +
        `one-${format}/out/${file}, which is also the program's main file. If that is a bundle, build the module that declares ` +
        "'Greeter' as an entry of its own",
    );
    expect(output).toContain('see docs/bundlers.md');
    expect(output).toMatch(/code: 'SERVE_DEPLOY_FAILED'[\s\S]*code: 'SERVE_MAIN_IN_WORKER'/);
  });

  test('with the library fail at once in CommonJS, which has no import.meta.url', async () => {
    const output = await failure('whole', 'server.cjs', { format: 'cjs' });
    expect(output).toMatch(
      /ServeError: createServe\.workerEntry: got undefined; .*'inserve\/worker'.*docs\/bundlers\.md/,
    );
    expect(output).toContain("code: 'SERVE_INVALID_OPTION'");
  });
});
