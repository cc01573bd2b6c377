import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { NEEDED_NODE, nodeProblem, runtimeProblem } from '../../src/node-version.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** What a Node prints when it imports, or requires, the built package. */
async function failure(node: string, ...args: string[]): Promise<string> {
  return await run(node, args, { cwd: root }).then(
    ({ stdout }) => `no failure: ${stdout}`,
    ({ stderr }: { stderr: string }) => stderr,
  );
}

/** The first Node on the PATH that the library refuses: many machines have one beside a newer one. */
async function findOldNode(): Promise<{ node: string; version: string } | undefined> {
  const name = process.platform === 'win32' ? 'node.exe' : 'node';
  for (const directory of new Set(process.env['PATH']?.split(delimiter))) {
    const node = join(directory, name);
    if (!existsSync(node)) continue;
    const version = (await run(node, ['-p', 'process.versions.node'])).stdout.trim();
    if (nodeProblem(version) !== undefined) return { node, version };
  }
  return undefined;
}
const old = await findOldNode();

describe('an old Node', () => {
  test.each(['22.18.0', '22.19.1', '24.0.0', '100.1.0', '26.0.0-nightly'])('%s is new enough', (version) => {
    expect(nodeProblem(version)).toBeUndefined();
  });

  test.each(['18.20.8', '20.20.2', '22.17.1', '22.9.0', '8.0.0'])('%s is too old', (version) => {
    expect(nodeProblem(version)).toBe(`inserve needs Node 22.18.0 or newer; this is Node ${version}.`);
  });

  test('another runtime that lacks what replicas need is named', () => {
    const lacking = { 'module.registerHooks': undefined, 'util.getCallSites': () => [] };
    const rest = 'which lacks module.registerHooks.';
    for (const [versions, name] of [
      [{ node: '26.3.0', bun: '1.4.5' }, 'Bun 1.4.5'],
      [{ node: '26.3.0', deno: '2.1.0' }, 'Deno 2.1.0'],
      [{ node: '22.18.0' }, 'Node 22.18.0'],
    ] as const)
      expect(runtimeProblem(versions, lacking)).toBe(
        `inserve needs Node 22.18.0 or newer; this is ${name}, ${rest}`,
      );
    expect(runtimeProblem(process.versions, { 'util.getCallSites': () => [] })).toBeUndefined();
  });

  test('package.json says the same', () => {
    const { engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(`${engines.node}.0`).toBe(`>=${NEEDED_NODE}`);
  });

  test('the check comes before everything else of the package', async () => {
    const pretend = "Object.defineProperty(process, 'versions', { value: { node: '20.1.0' } });";
    const sentence = 'Error: inserve needs Node 22.18.0 or newer; this is Node 20.1.0.';
    const code = "code: 'SERVE_UNSUPPORTED_RUNTIME'";
    const preload = `data:text/javascript,${encodeURIComponent(pretend)}`;
    const output = await failure(process.execPath, '--import', preload, '-e', "import('inserve')");
    expect(output).toContain(sentence);
    expect(output).toContain(code);
  });

  test.runIf(old !== undefined)(`the one on the PATH (${old?.version ?? 'there is none'})`, async () => {
    const { node, version } = old as NonNullable<typeof old>;
    const sentence = `Error: inserve needs Node 22.18.0 or newer; this is Node ${version}.`;
    expect(await failure(node, '-e', "import('inserve')")).toContain(sentence);
    expect(await failure(node, '--input-type=module', '-e', "import 'inserve'")).toContain(sentence);
  });
});
