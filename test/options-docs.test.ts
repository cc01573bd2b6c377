import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const page = readFileSync('docs/options.md', 'utf8');

/** Names of the members of an interface, from its source. */
function membersOf(file: string, name: string): string[] {
  const body = new RegExp(`^export interface ${name} \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(
    readFileSync(file, 'utf8'),
  )?.[1];
  return [...(body ?? '').matchAll(/^ {2}(\w+)\??:/gm)].map(([, member = '']) => member);
}

/** First cells of the table below a heading. */
function rowsOf(heading: string): string[] {
  const section = page.split(/^## /m).find((part) => part.startsWith(heading)) ?? '';
  return [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, option = '']) => option);
}

describe('docs/options.md', () => {
  test.each([
    ['Options of a deployment', 'src/deployment/options/deployment-options.ts', 'DeploymentOptions'],
    ['Options of an instance', 'src/serve-options.ts', 'ServeOptions'],
  ])('%s has every option, and no other', (heading, file, name) => {
    const members = membersOf(file, name);
    expect(members.length).toBeGreaterThan(5);
    expect(rowsOf(heading).sort()).toEqual(members.sort());
  });
});
