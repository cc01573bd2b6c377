import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, globSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Consumer } from '../packaging/consumer.ts';
import { codeBlocksOf } from '../support/docs/code-blocks.ts';
import { versionsOf } from '../support/docs/page-programs.ts';
import { UserProject } from '../support/docs/user-project.ts';
import { freePort } from '../support/free-port.ts';
import { send } from '../support/http/client.ts';
import { type Manifest, manifestsIn, validate } from '../support/kubernetes.ts';
import { IS_LONG_RUN } from '../support/long-run.ts';
import { steadyLoad } from '../support/steady-load.ts';
import { eventually } from '../support/until.ts';

const run = promisify(execFile);

/** All files and commands of these tests are those of the page. */
const PAGE = 'docs/first-day.md';
const blocks = codeBlocksOf(PAGE);
const versions = versionsOf(blocks.filter(({ language }) => language === 'ts'));

/** A slow machine may need as long for the start of a process, in ms. */
const START_MS = 60_000;

function codeOf(language: string, part: string): string {
  const block = blocks.find((candidate) => candidate.language === language && candidate.code.includes(part));
  if (block === undefined) throw new Error(`${PAGE} has no block of ${language} with '${part}'`);
  return block.code;
}

let consumer: Consumer;
/** The folder of the reader, with the packed package and with express. */
let project: UserProject;
beforeAll(() => {
  consumer = new Consumer();
  project = new UserProject(join(consumer.directory, 'node_modules', 'inserve'));
}, 4 * START_MS);
afterAll(() => {
  project[Symbol.dispose]();
  consumer[Symbol.dispose]();
});

/** Runs commands of the page, at the port of a service. */
async function shell(commands: string, port = 3000): Promise<string> {
  const script = commands.replaceAll('localhost:3000', `127.0.0.1:${port}`);
  const { stdout } = await run('bash', ['-ec', script], { cwd: project.directory });
  return stdout;
}

interface Service extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly port: number;
  readonly url: string;
  /** Exit code and signal. */
  readonly ended: Promise<unknown[]>;
  log(): string;
}

/** Starts a program in a folder, and waits until it listens. */
async function start(args: readonly string[], cwd: string): Promise<Service> {
  const port = await freePort();
  const env = { ...process.env, PORT: String(port) };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(log);
    return (await statusOf(port, '/')) !== undefined;
  }, START_MS);
  return {
    child,
    port,
    url,
    ended,
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Undefined if the service does not listen. */
async function statusOf(port: number, path: string): Promise<number | undefined> {
  try {
    return (await send(port, path)).status;
  } catch {
    return undefined;
  }
}

/** Asks for a review with the command of the page; again, as long as the machine is too busy. */
async function curl(port: number): Promise<string> {
  const [command = ''] = codeOf('console', 'curl').split('\n');
  for (;;) {
    const answer = await shell(command.replace(/^\$ /, ''), port);
    if (!answer.includes('SERVE_BACKPRESSURE')) return answer;
  }
}

const ANSWER = codeOf('console', 'curl').split('\n')[1];

test(
  'a project begins',
  async () => {
    const commands = codeOf('sh', 'npm init').split('\n');
    // The package and express are there already, without a network.
    const [install] = commands.filter((command) => command.startsWith('npm install'));
    expect(install).toBe('npm install inserve express');
    await shell(commands.filter((command) => command !== install).join('\n'));
    const manifest = readFileSync(join(project.directory, 'reviews', 'package.json'), 'utf8');
    expect(JSON.parse(manifest)).toMatchObject({ name: 'reviews', type: 'module' });
  },
  START_MS,
);

test(
  'the first service answers',
  async () => {
    const [first] = versions;
    for (const [name, code] of first ?? []) project.write(`first/${name}`, code);
    await using service = await start(['server.ts'], join(project.directory, 'first'));
    expect(await curl(service.port)).toBe(ANSWER);
  },
  START_MS,
);

/** What the instructions of the Dockerfile make of the folder of the reader. */
function buildImage(): { directory: string; command: string[] } {
  const dockerfile = codeOf('dockerfile', 'CMD');
  const directory = join(project.directory, 'image');
  for (const [, pattern = ''] of dockerfile.matchAll(/^COPY (\S+) \.\/$/gm))
    for (const file of globSync(pattern, { cwd: project.directory }))
      cpSync(join(project.directory, file), join(directory, file));
  const [node, ...command] = JSON.parse(/^CMD (.+)$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  expect(node).toBe('node');
  return { directory, command };
}

/**
 * Asks for a review. @returns the status; `refused` when the service listens no more, or says that the machine is too busy
 */
async function review(url: string): Promise<string> {
  const body = JSON.stringify({ text: 'Great phone. The case is bad. I love it!' });
  const headers = { 'content-type': 'application/json' };
  try {
    const answer = await fetch(`${url}/reviews`, { method: 'POST', headers, body });
    const isRefused = (await answer.text()).includes('SERVE_BACKPRESSURE');
    return isRefused ? 'refused' : String(answer.status);
  } catch (error) {
    const { cause } = error as { cause?: { code?: string } };
    if (cause?.code === 'ECONNREFUSED') return 'refused';
    throw error;
  }
}

/** A request whose body ends when it is told to. */
function slowReview({ port }: Service): { end(): void; answer: Promise<unknown> } {
  const sent = request({ port, host: '127.0.0.1', path: '/reviews', method: 'POST' });
  sent.setHeader('content-type', 'application/json');
  sent.write('{"text":');
  const answer = once(sent, 'response').then(([response]) => json(response));
  return { end: () => void sent.end('"Great."}'), answer };
}

/** The metrics that the page looks at. */
async function metricsOf({ port }: Service): Promise<(pattern: RegExp) => number> {
  const text = await shell(codeOf('sh', '/metrics'), port);
  return (pattern) =>
    Number(
      text
        .split('\n')
        .find((line) => pattern.test(line))
        ?.split(' ')
        .at(-1) ?? 0,
    );
}

if (IS_LONG_RUN)
  test(
    'the last service batches, scales, shows it, fits its manifests, and loses no request',
    async () => {
      for (const [name, code] of versions.at(-1) ?? []) project.write(name, code);
      const { directory, command } = buildImage();
      await using service = await start(command, directory);
      await eventually(async () => (await statusOf(service.port, '/readyz')) === 200, START_MS);
      expect(await curl(service.port)).toBe(ANSWER);
      await eventually(() => service.log().includes("app 'Reviews' is ready"), START_MS);
      await followLoad(service);
      await matchManifests(service);
      await endUnderLoad(service);
    },
    8 * START_MS,
  );

/** Batches and replicas under the load of the page, as its metrics show them. */
async function followLoad(service: Service): Promise<void> {
  // On a busy machine the load may have to go on for longer, and a replica may still be starting after it.
  const replicas = /^serve_replicas\{.*Sentiment.*RUNNING.*\} [2-4]$/m;
  await eventually(async () => {
    await shell(codeOf('sh', 'autocannon'), service.port);
    return replicas.test((await send(service.port, '/metrics')).text);
  }, 4 * START_MS);
  const metric = await metricsOf(service);
  expect(metric(/^serve_replicas\{.*Sentiment.*RUNNING/)).toBeGreaterThan(1);
  const calls = metric(/^serve_requests_total\{.*Sentiment.*score.*ok/);
  expect(calls).toBeGreaterThan(100);
  expect(metric(/^serve_batch_size_count/)).toBeLessThan(calls / 3);
}

/** The end by a signal, with requests under way. */
async function endUnderLoad(service: Service): Promise<void> {
  const slow = slowReview(service);
  const outcomes = await steadyLoad(
    16,
    () => review(service.url),
    async (seen) => {
      await eventually(() => seen.ok > 100, START_MS);
      service.child.kill('SIGTERM');
      await eventually(async () => (await statusOf(service.port, '/readyz')) !== 200, START_MS);
      // While it drains it serves on.
      const before = seen.ok;
      await eventually(() => seen.ok > before + 16, START_MS);
    },
  );
  expect(outcomes.errors).toEqual([]);
  outcomes.labels.delete('refused');
  expect([...outcomes.labels.keys()]).toEqual(['200']);
  // The server listens no more when this request, which it has accepted, ends.
  await eventually(async () => (await statusOf(service.port, '/')) === undefined, START_MS);
  slow.end();
  expect(await slow.answer).toEqual({ score: 1, sentences: [1] });
  expect(await service.ended).toEqual([0, null]);
}

/** The manifests are valid, and ask what the service answers. */
async function matchManifests({ port }: Service): Promise<void> {
  project.copy('deploy/kubernetes', 'kubernetes');
  const [rename, apply] = codeOf('sh', 'kubectl apply -f kubernetes').trim().split('\n');
  expect(apply).toBe('kubectl apply -f kubernetes/');
  await shell(rename ?? '');
  const folder = join(project.directory, 'kubernetes');
  const manifests = globSync('*.yaml', { cwd: folder }).flatMap((file) => manifestsIn(join(folder, file)));
  for (const manifest of manifests) validate(manifest);
  expect(JSON.stringify(manifests)).not.toContain('speech');

  const { spec } = manifests.find(({ kind }) => kind === 'Deployment') as PodManifest;
  const { metadata, spec: pod } = spec.template;
  const [container] = pod.containers;
  expect(container?.image).toBe('registry.example.com/reviews:1.0.0');
  expect(codeOf('sh', 'docker push')).toContain(container?.image);
  expect(versions.at(-1)?.get('server.ts')).toContain(`?? ${container?.ports[0]?.containerPort})`);
  const paths = [
    container?.livenessProbe.httpGet.path,
    container?.readinessProbe.httpGet.path,
    metadata.annotations['prometheus.io/path'],
  ];
  for (const path of paths) expect(await statusOf(port, path ?? ''), path).toBe(200);
}

interface PodManifest extends Manifest {
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly annotations: Record<string, string> };
      readonly spec: {
        readonly containers: readonly {
          readonly image: string;
          readonly ports: readonly { readonly containerPort: number }[];
          readonly readinessProbe: { readonly httpGet: { readonly path: string } };
          readonly livenessProbe: { readonly httpGet: { readonly path: string } };
        }[];
      };
    };
  };
}
