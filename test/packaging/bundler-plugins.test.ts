import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type BuildOptions, build } from 'esbuild';
import { rollup } from 'rollup';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { inserve as forEsbuild } from '../../src/bundlers/esbuild.ts';
import { inserve as forRollup } from '../../src/bundlers/vite.ts';

const directory = mkdtempSync(join(tmpdir(), 'inserve-plugins-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** One of the two modules with deployments imports the other one, and both import a third one. */
const SOURCES = {
  'app/src/server.js':
    "import { front } from './ingress/front.js'; import { unit } from '../shared/unit.js'; console.log(front, unit);",
  'app/src/ingress/front.js': `import { deployment } from 'inserve';
    import { model } from '../../shared/model.js';
    import { unit } from '../../shared/unit.js';
    export const front = deployment(class Front { unit = unit; }, { name: 'Front' }).bind(model);`,
  'app/shared/model.js': `import { deployment } from 'inserve';
    import { unit } from './unit.js';
    export const model = deployment(class Model { unit = unit; }, { name: 'Model' }).bind();`,
  'app/shared/unit.js': "export const unit = { name: 'unit' };",
};

beforeAll(() => {
  for (const [path, code] of Object.entries(SOURCES)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), code);
  }
});

/** Outputs without the hashes in their names, with the deployments and the server that their own code holds. */
function contentsOf(outputs: readonly { path: string; code: string }[]): Record<string, string[]> {
  return Object.fromEntries(
    outputs.map(({ path, code }) => {
      const held = ["name: 'Front'", "name: 'Model'", 'console.log('].filter((text) =>
        code.replaceAll('"', "'").includes(text),
      );
      return [path.replace(/-[\w-]{8}\.js$/, '-HASH.js'), held];
    }),
  );
}

describe('inserve/esbuild', () => {
  const options = {
    absWorkingDir: directory,
    bundle: true,
    entryPoints: ['app/src/server.js'],
    outdir: 'dist',
    write: false as const,
    logLevel: 'silent',
  } satisfies BuildOptions;

  test('makes modules with deployments entries, and leaves the paths of the others as they are', async () => {
    const { outputFiles } = await build({ ...options, format: 'esm', plugins: [forEsbuild()] });
    const paths = outputFiles.map(({ path }) => path.slice(join(directory, 'dist/').length));
    expect(paths).toEqual(expect.arrayContaining(['server.js', 'ingress/front.js', 'deployments/model.js']));
    const server = outputFiles.find(({ path }) => path.endsWith('server.js'))?.text ?? '';
    expect(server).not.toContain('deployment(');
    for (const { text, path } of outputFiles) {
      expect(text.includes('console.log(')).toBe(path.endsWith('server.js'));
      expect(text).not.toMatch(/name: "Front"[\s\S]*name: "Model"|name: "Model"[\s\S]*name: "Front"/);
    }
  });

  test('keeps the given names of entries', async () => {
    const entryPoints = { 'bin/main': 'app/src/server.js' };
    const { outputFiles } = await build({ ...options, entryPoints, format: 'esm', plugins: [forEsbuild()] });
    expect(outputFiles.map(({ path }) => path)).toContain(join(directory, 'dist/bin/main.js'));
  });

  test.each([
    ['another format', { format: 'cjs', outdir: 'dist' }],
    ['one output file', { format: 'esm', outdir: undefined as never, outfile: 'dist/server.js' }],
  ] as const)('refuses %s', async (_what, other) => {
    const building = build({ ...options, ...other, plugins: [forEsbuild()] });
    await expect(building).rejects.toThrow("inserve/esbuild needs the options `format: 'esm'` and `outdir`");
  });

  test('leaves the faults of sources to the build', async () => {
    const entryPoints = ['app/src/missing.js'];
    await expect(build({ ...options, entryPoints, format: 'esm', plugins: [forEsbuild()] })).rejects.toThrow(
      /Could not resolve/,
    );
  });
});

test('inserve/vite makes modules with deployments files of their own with Rollup', async () => {
  await using bundle = await rollup({
    input: join(directory, 'app/src/server.js'),
    plugins: [forRollup()],
  }).then((bundle) => Object.assign(bundle, { [Symbol.asyncDispose]: () => bundle.close() }));
  const { output } = await bundle.generate({ format: 'esm' });
  const outputs = output.flatMap((file) =>
    file.type === 'chunk' ? [{ path: file.fileName, code: file.code }] : [],
  );
  expect(contentsOf(outputs)).toEqual({
    'server.js': ['console.log('],
    'front-HASH.js': ["name: 'Front'"],
    'model-HASH.js': ["name: 'Model'"],
  });
  expect(readdirSync(directory)).toEqual(['app']);
});
