import { type ChildProcess, execFile, fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { codeBlocksOf } from '../support/docs/code-blocks.ts';
import { folderOf, type ProgramFile, programsOf } from '../support/docs/page-programs.ts';
import { UserProject } from '../support/docs/user-project.ts';
import { type Answer, send } from '../support/http/client.ts';
import { whenAdmitted } from '../support/http/patient.ts';
import { postJson } from '../support/http/post-json.ts';
import { SocketClient } from '../support/http/socket-client.ts';
import { eventually } from '../support/until.ts';

/** Programs of the pages, by what they answer at: the file of a server, or a part of the code and the name of what is served. */
const PROGRAMS = {
  greeter: { page: 'docs/http.md', part: 'class Greeter', name: 'greeter' },
  passwords: { page: 'docs/computing.md', part: '// server.ts', name: undefined },
  analyse: { page: 'docs/graphs.md', part: '// server.ts', name: undefined },
  room: { page: 'docs/websocket.md', part: '// server.ts', name: undefined },
  iris: { page: 'docs/validation.md', part: 'class Iris', name: 'iris' },
};

type Name = keyof typeof PROGRAMS;

/** The process of all programs: starting one costs more than all that they do. */
let child: ChildProcess;
let project: UserProject;
let ports: Record<Name, number>;
let printed = '';
let log = '';

/** Writes the files of a page into the project. */
function write(page: string): ProgramFile[] {
  const files = programsOf(codeBlocksOf(page).filter(({ language }) => language === 'ts'));
  for (const { path, lines } of files) project.write(path, lines.map(({ text }) => text).join('\n'));
  return files;
}

beforeAll(async () => {
  project = new UserProject();
  const paths = Object.values(PROGRAMS).map(({ page, part, name }) => {
    const files = write(page);
    const found = files.find(({ lines }) => lines.some(({ text }) => text.includes(part)));
    if (found === undefined) throw new Error(`${page} has no block with '${part}'`);
    return name === undefined ? found.path : `${found.path}#${name}`;
  });
  // Prints what the last block of its page says.
  const look = paths[1]?.replace('server.ts', 'look.ts') ?? '';
  const program = resolve('test/fixtures/programs/pages.ts');
  child = fork(program, [...paths, look], {
    cwd: project.directory,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const started = once(child, 'message') as Promise<[number[]]>;
  const [found] = await Promise.race([started, failure()]);
  ports = Object.fromEntries(Object.keys(PROGRAMS).map((name, at) => [name, found[at]])) as Record<
    Name,
    number
  >;
}, 180_000);

async function failure(): Promise<never> {
  await once(child, 'close');
  throw new Error(log);
}

/** All programs end in peace. */
afterAll(async () => {
  using _folder = project;
  if (!child.connected) return;
  const closed = once(child, 'close');
  child.send('close');
  expect(await closed, log).toEqual([0, null]);
});

function post(port: number, path: string, value: unknown): Promise<Answer> {
  return whenAdmitted(() => postJson(port, path, value));
}

test('docs/http.md: the ingress answers', async () => {
  const answer = await post(ports.greeter, '/', { name: 'Ada' });
  expect(JSON.parse(answer.text)).toEqual({ hello: 'Ada' });
});

test('docs/computing.md: a method that computes answers, and says how it went', async () => {
  const headers = { 'content-type': 'text/plain' };
  const hash = await whenAdmitted(() =>
    send(ports.passwords, '/hash', { method: 'POST', headers, body: 'correct horse' }),
  );
  expect(JSON.parse(hash.text)).toMatch(/^[0-9a-f]{32}:[0-9a-f]{128}$/);
  await eventually(() => printed.split('\n').length > 2, 60_000);
  const [line, report] = printed.split('\n');
  expect(line).toMatch(/^[\d.]+ [\d.]+ /);
  expect(report).toMatch(/^(?:undefined|Passwords holds its loop .+) \d+ \[ [\w., ]+ \]$/);
});

test('docs/graphs.md: the graph answers what the page says', async () => {
  const answer = await post(ports.analyse, '/analyse', { text: 'Great, Paris!' });
  expect(JSON.parse(answer.text)).toEqual({ score: 1, topics: ['Great', 'Paris'] });
});

test('docs/websocket.md: the room passes messages on', async () => {
  using first = await SocketClient.connect(ports.room, '/room');
  using second = await SocketClient.connect(ports.room, '/room');
  // A client that receives its own message has joined the room.
  expect(await second.send('here').take(1)).toEqual(['here']);
  first.send('hello');
  expect(await second.next()).toBe('hello');
});

test('docs/validation.md: wrong input is answered as the page shows', async () => {
  const right = await post(ports.iris, '/', { sepal: [5.1, 3.5], petal: [1.4, 0.2] });
  expect(JSON.parse(right.text)).toEqual({ species: 'setosa', certainty: 0.9 });
  const wrong = await post(ports.iris, '/', { sepal: [5.1, 3.5], petal: [1.4, 'wide'] });
  const [shown] = codeBlocksOf('docs/validation.md').filter(({ language }) => language === 'json');
  const problem = JSON.parse(shown?.code ?? '');
  expect(JSON.parse(wrong.text)).toEqual({ ...problem, requestId: expect.stringMatching(/./) });
});

test('docs/testing.md: the tests of an app pass', async () => {
  const folder = folderOf('docs/testing.md');
  project.copy(join('test/fixtures/docs', folder), folder);
  write('docs/testing.md');
  const vitest = [
    resolve('node_modules/vitest/vitest.mjs'),
    'run',
    '--reporter',
    'json',
    '--outputFile',
    'report.json',
  ];
  const cwd = join(project.directory, folder);
  // By itself, and not as a part of this run.
  const { VITEST: _, ...env } = process.env;
  await promisify(execFile)(process.execPath, vitest, { cwd, env }).catch(() => {});
  const report = JSON.parse(readFileSync(join(cwd, 'report.json'), 'utf8'));
  expect(report).toMatchObject({ numPassedTests: 3, numFailedTests: 0, success: true });
}, 180_000);
