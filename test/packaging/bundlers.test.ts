import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { check, copyRecipe, run } from '../bundlers/run-recipe.ts';
import { share } from '../support/long-run.ts';
import { Consumer, root } from './consumer.ts';

/** Outside of any `node_modules`, where the plugins look for no deployments. */
const directory = mkdtempSync(join(tmpdir(), 'inserve-recipes-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The packed package, and its dependencies and the tools as they are installed here. */
beforeAll(() => {
  using consumer = new Consumer();
  const modules = join(directory, 'node_modules');
  cpSync(join(consumer.directory, 'node_modules', 'inserve'), join(modules, 'inserve'), { recursive: true });
  const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  for (const name of [...Object.keys(dependencies), 'esbuild', 'rollup', 'vite']) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  }
});

/** `npm run test:bundlers` runs all recipes, with the tools that they install. */
const RECIPES = [
  'esbuild-plugin',
  'rollup-plugin',
  'vite-plugin',
  'vite-dev',
  'esbuild',
  'esbuild-whole',
  'rollup',
  'vite-ssr',
];

test.each(share(4, RECIPES))(
  'the recipe %s works',
  async (name) => {
    const project = join(directory, 'projects', name);
    const { scripts, recipe } = copyRecipe(name, project);
    if (scripts.build === undefined) {
      await check(scripts.start, project, recipe);
      return;
    }
    run(scripts.build, project);
    // Elsewhere, without the sources.
    const deployed = join(directory, 'deployed', name);
    for (const path of ['dist', 'package.json'])
      cpSync(join(project, path), join(deployed, path), { recursive: true });
    rmSync(project, { recursive: true });
    await check(scripts.start, deployed, recipe);
  },
  180_000,
);
