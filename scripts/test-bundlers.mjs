/**
 * Builds and runs the recipes of docs/bundlers.md (test/bundlers/recipes) with the real tools, each in a temporary folder, from the packed
 * package: `npm run test:bundlers`, or `npm run test:bundlers -- webpack next` for some of them. The tools come from npm.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pack, recipeNames, runRecipe } from '../test/bundlers/run-recipe.ts';

const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !recipeNames.includes(name));
if (unknown.length > 0) {
  console.error(`There is no recipe ${unknown.join(', ')}: ${recipeNames.join(', ')}`);
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), 'inserve-bundlers-'));
const rows = [];
try {
  const tarball = pack(directory);
  for (const name of chosen.length > 0 ? chosen : recipeNames) {
    const row = await runRecipe(name, tarball, join(directory, name));
    rows.push(row);
    console.log(
      `${row.failure === undefined ? 'passed' : 'FAILED'} ${name} ${row.seconds}${row.failure ? `\n${row.failure}` : ''}`,
    );
    rmSync(join(directory, name), { recursive: true, force: true });
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const failed = rows.filter(({ failure }) => failure !== undefined);
console.log(`${rows.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length > 0 ? 1 : 0);
