/**
 * Compiles test/types against `dist`, as users of the package do: with the oldest and the newest TypeScript, in Node's
 * module resolution and in bundlers'. In test/types/messages.ts every `// error: …` says what the compilers must say
 * about the line below it ("…" stands for anything between); no other error may occur anywhere. Every entry of the package is imported.
 */
import { spawn } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Versions that must be behind these names of `package.json`. */
const COMPILERS = { 'typescript-5.9': '5.9.', typescript: '7.' };
const PROJECTS = ['tsconfig.json', 'tsconfig.bundler.json'];
const MESSAGES = 'test/types/messages.ts';
/** What the compilers may work out, as a stand-in for time that does not depend on the machine; now about 400 000. */
const MAX_INSTANTIATIONS = 450_000;

/** The texts of each line's error, by line number. */
function expectedMessages() {
  const lines = readFileSync(join(root, MESSAGES), 'utf8').split('\n');
  const texts = lines.map((line) => /^\s*\/\/ error: (.+)$/.exec(line)?.[1].split(' … '));
  return new Map(texts.flatMap((parts, index) => (parts === undefined ? [] : [[index + 2, parts]])));
}

function compile(compiler, project) {
  const tsc = join('node_modules', compiler, 'bin', 'tsc');
  const args = [tsc, '-p', join('test/types', project), '--pretty', 'false', '--extendedDiagnostics'];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

/** Errors as `{ file, line, text }`; indented lines go on with the error above them. */
function parseErrors(output) {
  return output.split(/\n(?=\S)/).flatMap((entry) => {
    const match = /^(?:(.+)\((\d+),\d+\): )?error /.exec(entry);
    return match === null ? [] : [{ file: match[1], line: Number(match[2]), text: entry.trimEnd() }];
  });
}

function problemsIn(output) {
  const missing = expectedMessages();
  const problems = parseErrors(output).filter(({ file, line, text }) => {
    // Others' declarations are not ours to mend: @types/koa 3.0.3 and content-disposition 2 do not fit.
    if (/(?:^|\/)node_modules\//.test(file ?? '')) return false;
    const parts = file === MESSAGES ? missing.get(line) : undefined;
    if (parts?.every((part) => text.includes(part)) !== true) return true;
    missing.delete(line);
    return false;
  });
  const count = Number(/^Instantiations:\s*(\d+)$/m.exec(output)?.[1]);
  return [
    ...problems.map(({ text }) => text),
    ...[...missing].map(([line, parts]) => `${MESSAGES}(${line}): expected this error: ${parts.join(' … ')}`),
    ...(count <= MAX_INSTANTIATIONS ? [] : [`${count} instantiations; the cap is ${MAX_INSTANTIATIONS}`]),
  ];
}

function read(file) {
  return readFileSync(join(root, file), 'utf8');
}

/** Compilers of another version than this check is about, and entries of the package that no file of test/types imports. */
function oversights() {
  const sources = globSync('test/types/*.{ts,cts}', { cwd: root }).map(read).join('');
  const entries = Object.keys(JSON.parse(read('package.json')).exports).filter(
    (entry) => !entry.endsWith('.json'),
  );
  return [
    ...Object.entries(COMPILERS).flatMap(([name, wanted]) => {
      const { version } = JSON.parse(read(`node_modules/${name}/package.json`));
      return version.startsWith(wanted) ? [] : [`${name} is ${version}; it should be ${wanted}x`];
    }),
    ...entries
      .map((entry) => `inserve${entry.slice(1)}`)
      .filter((entry) => !sources.includes(`'${entry}'`))
      .map((entry) => `test/types imports nothing of '${entry}'`),
  ];
}

for (const oversight of oversights()) {
  console.error(oversight);
  process.exitCode = 1;
}

const runs = Object.keys(COMPILERS).flatMap((compiler) => PROJECTS.map((project) => ({ compiler, project })));
await Promise.all(
  runs.map(async ({ compiler, project }) => {
    const problems = problemsIn(await compile(compiler, project));
    if (problems.length === 0) return;
    console.error(`${compiler}, test/types/${project}:\n${problems.join('\n')}\n`);
    process.exitCode = 1;
  }),
);
