import { join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { afterAll, describe, expect, test } from 'vitest';
import { Consumer } from './consumer.ts';

const consumer = new Consumer();
afterAll(() => consumer[Symbol.dispose]());

const APP = `
  import { createServe, deployment } from 'inserve';
  import { greeter } from './models.mjs';
  const warnings = [];
  const ignore = () => {};
  const logger = { debug: ignore, info: ignore, warn: (fields, message) => warnings.push({ ...fields, message }), error: ignore };
  const serve = createServe({ logger });
  const handle = await serve.run(greeter);
  await serve.run(greeter);
  const answer = await handle.greet.remote('you');
  const [name] = Object.keys(serve.status().apps);
  await serve.close();
  console.log(JSON.stringify({ answer, name, warnings }));`;

/** What an app prints whose two modules went through esbuild. */
async function run(name: string, options: string, overrides: BuildOptions): Promise<unknown> {
  consumer.write(
    `${name}/models.mjs`,
    `import { deployment } from 'inserve';
    class Greeter {
      static greeting = new Greeter();
      greet(name) { return 'hello ' + name; }
    }
    export const greeter = deployment(Greeter${options}).bind();`,
  );
  consumer.write(`${name}/app.mjs`, APP);
  await build({
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22',
    packages: 'external',
    logLevel: 'silent',
    absWorkingDir: consumer.directory,
    entryPoints: [`${name}/app.mjs`, `${name}/models.mjs`],
    outdir: join(consumer.directory, `${name}-out`),
    ...overrides,
  });
  return JSON.parse(consumer.run(join(consumer.directory, `${name}-out`, 'app.js')));
}

describe('a deployment whose class esbuild renames', () => {
  test('keeps its given name', async () => {
    const report = await run('given', ", { name: 'Greeter' }", { minify: true });
    expect(report).toEqual({ answer: 'hello you', name: 'Greeter', warnings: [] });
  });

  test.each([
    ['inferred', {}, /^_Greeter$/],
    ['minified', { minify: true }, /^\w{1,2}$/],
  ])('runs under the new one with one warning (%s)', async (name, options, expected) => {
    expect(await run(name, '', options)).toEqual({
      answer: 'hello you',
      name: expect.stringMatching(expected),
      warnings: [
        {
          app: expect.stringMatching(expected),
          deployment: expect.stringMatching(expected),
          message: expect.stringMatching(
            /a bundler or minifier seems to have changed.*give deployment\(\) a `name`/,
          ),
        },
      ],
    });
  });
});
