import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const run = promisify(execFile);

/** What a program of a page prints. */
async function outputOf(program: string): Promise<string> {
  const { stdout } = await run(process.execPath, [`test/fixtures/docs/docs-${program}.ts`], {
    timeout: 120_000,
  });
  return stdout;
}

test.each([
  ['from-piscina', /^[0-9a-f]{128}\n$/],
  ['from-moleculer', /^330\n$/],
])('%s: the program does the same before and after', { timeout: 180_000 }, async (page, expected) => {
  const before = await outputOf(`${page}/before/main`);
  expect(before).toMatch(expected);
  expect(await outputOf(`${page}/after/main`)).toBe(before);
});

/** Names of the members of an interface or class in the declarations of a package. */
function membersOf(file: string, declaration: string): string[] {
  const source = readFileSync(`node_modules/${file}`, 'utf8');
  const lines = source.slice(source.search(new RegExp(`${declaration}\\b[^;]*\\{`))).split('\n');
  const indent = /^\s*/.exec(lines[1] ?? '')?.[0] ?? '';
  const end = lines.findIndex((line) => line.startsWith('}') || line === `${indent.slice(1)}}`);
  const member = new RegExp(`^${indent}(?:readonly |static |get )*([a-zA-Z]\\w*)[?!]?(?:[:(<]|\\?:)`);
  return [...new Set(lines.slice(1, end).flatMap((line) => member.exec(line)?.[1] ?? []))];
}

test.each([
  ['from-piscina', 'piscina/dist/index.d.ts', 'interface Options'],
  ['from-piscina', 'piscina/dist/index.d.ts', 'interface RunOptions'],
  ['from-piscina', 'piscina/dist/index.d.ts', 'interface CloseOptions'],
  ['from-piscina', 'piscina/dist/index.d.ts', 'class Piscina'],
  ['from-moleculer', 'moleculer/src/service-broker.d.ts', 'interface BrokerOptions'],
  ['from-moleculer', 'moleculer/src/service-broker.d.ts', 'interface CallingOptions'],
  ['from-moleculer', 'moleculer/src/service.d.ts', 'interface ServiceSchema'],
  ['from-moleculer', 'moleculer/src/service.d.ts', 'interface ActionSchema'],
])('%s names all of %s, %s', (page, file, declaration) => {
  // `remoteHandler` is Moleculer's own business, as it says.
  const members = membersOf(file, declaration).filter((name) => name !== 'remoteHandler');
  expect(members.length).toBeGreaterThan(0);
  const text = readFileSync(`docs/${page}.md`, 'utf8');
  expect(members.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
});
