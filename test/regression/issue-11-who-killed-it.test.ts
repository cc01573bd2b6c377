import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import inspector from 'node:inspector';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from 'vitest';
import type { BoundDeployment, ServeError } from '../../src/index.ts';
import { loopStack } from '../../src/isolation/thread/loop-stack.ts';
import { type Mortal, mortal, mourner } from '../fixtures/faulty/deaths.ts';
import { quietServe } from '../support/quiet.ts';
import { event, eventually } from '../support/until.ts';

type Quiet = ReturnType<typeof quietServe>;

async function failure(work: PromiseLike<unknown>): Promise<ServeError> {
  return await work.then(
    () => expect.unreachable('the call was answered'),
    (error: unknown) => error as ServeError,
  );
}

/** The record of the only death. */
function record({ log }: Quiet): { fields: Record<string, unknown>; message: string } {
  const [first, ...others] = log.records.filter(({ message }) => message.includes('replica died'));
  expect(others).toEqual([]);
  return first as ReturnType<typeof record>;
}

function stopped(serve: Quiet) {
  return event(serve, 'replica', ({ state, error }) => state === 'STOPPED' && error !== undefined);
}

function ongoing(serve: Quiet, app: string): number {
  return serve.status().apps[app]?.deployments['Mortal']?.replicas[0]?.ongoing ?? 0;
}

describe('a death names the calls that ran', () => {
  test('of all caller threads, in the record, the event and the status', async () => {
    await using serve = quietServe();
    const parent = await serve.run(mourner.bind(mortal.bind()));
    const direct = serve.handle<typeof Mortal>('Mortal', { app: 'Mourner' });
    expect(await parent.remote()).toBe('alive');
    const from = Date.now();
    const hanging = [failure(parent.hang.remote()), failure(direct.hang.remote())];
    await eventually(() => ongoing(serve, 'Mourner') === 2);
    const told = stopped(serve);
    const culprit = await failure(direct.exit.remote(3));
    const [relayed, other] = await Promise.all(hanging);
    const calls = [
      { method: 'hang', requestId: relayed?.requestId },
      { method: 'hang', requestId: other?.requestId },
      { method: 'exit', requestId: culprit.requestId },
    ];
    const { calls: named = [], reason } = await told;
    expect(named).toHaveLength(3);
    expect(named).toEqual(expect.arrayContaining(calls.map((call) => expect.objectContaining(call))));
    for (const { since } of named) {
      expect(since).toBeGreaterThanOrEqual(from - 2);
      expect(since).toBeLessThanOrEqual(Date.now() + 2);
    }
    expect(reason).toMatch(/exit \(request \S+, for \d+\.\d s\)/);
    const { fields, message } = record(serve);
    expect(fields['calls']).toEqual(named);
    expect(message).toContain(`request ${relayed?.requestId}`);
    const { message: shown } = serve.status().apps['Mourner']?.deployments['Mortal'] ?? {};
    expect(shown).toContain(`request ${culprit.requestId}`);
  });

  test('ten of them at most', async () => {
    await using serve = quietServe();
    const handle = await serve.run(mortal.options({ maxOngoingRequests: 32 }).bind());
    const hanging = Array.from({ length: 14 }, () => failure(handle.hang.remote()));
    await eventually(() => ongoing(serve, 'Mortal') === 14);
    const told = stopped(serve);
    await failure(handle.exit.remote(3));
    await Promise.all(hanging);
    expect((await told).calls).toHaveLength(10);
  });

  test('process.exit is named with its code and stack', async () => {
    await using serve = quietServe();
    const handle = await serve.run(mortal.bind());
    const { cause } = await failure(handle.exit.remote(7));
    expect(cause).toMatchObject({
      message: expect.stringMatching(
        /^the thread exited with code 7: process\.exit\(\) was called at leave \(.*deaths\.ts:\d+:\d+\)$/,
      ),
      stack: expect.stringContaining('at Mortal.exit'),
    });
    expect(record(serve).fields['err']).toMatchObject({ message: expect.stringContaining('leave') });
  });
});

describe('a blocked event loop', () => {
  test('is ended with its call, its method and its JavaScript stack', async () => {
    await using serve = quietServe();
    const handle = await serve.run(mortal.bind());
    const told = stopped(serve);
    const { requestId } = await failure(handle.options({ timeoutMs: 500 }).spin.remote());
    const { error, calls } = await told;
    expect(error).toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringMatching(
        /its event loop was blocked for \d+ ms in spin \(request \S+\) at \w+.* \(.*deaths\.ts:\d+:\d+\)/,
      ),
      cause: { stack: expect.stringMatching(/at spin \(.*deaths\.ts:22:/) },
    });
    expect(calls).toMatchObject([{ method: 'spin', requestId }]);
    await eventually(() => serve.status().apps['Mortal']?.deployments['Mortal']?.status === 'HEALTHY');
    expect(await handle.remote()).toBe('alive');
  });

  test('in native code is ended all the same, and the record says that no JavaScript ran', async () => {
    await using serve = quietServe();
    const handle = await serve.run(mortal.bind());
    const told = stopped(serve);
    await failure(handle.options({ timeoutMs: 500 }).sleep.remote(3));
    expect((await told).error).toMatchObject({
      message: expect.stringContaining('no JavaScript ran in the thread: native code may block it'),
    });
  });

  test('is left alone by the inspector while the app is being debugged', async () => {
    inspector.open(0, '127.0.0.1');
    try {
      expect(await loopStack(1)).toEqual({ frames: undefined, why: 'a debugger may be attached' });
    } finally {
      inspector.close();
    }
  });

  test.each([1, 5, 10, 20, 40, 1_000])('goes on after a look of %i ms at most', async (limitMs) => {
    const turns = new Int32Array(new SharedArrayBuffer(8));
    const thread = new Worker(SPINNING, { eval: true, workerData: turns });
    try {
      await eventually(() => Atomics.load(turns, 0) > 0);
      await loopStack(thread.threadId, limitMs);
      const before = Atomics.load(turns, 0);
      await eventually(() => Atomics.load(turns, 0) !== before);
    } finally {
      await thread.terminate();
    }
  });
});

const SPINNING =
  "const { workerData } = require('node:worker_threads'); for (;;) Atomics.add(workerData, 0, 1);";

const INSERVE = new URL('../../src/index.ts', import.meta.url).href;

/** A module that is another one on disk than the host has loaded. */
async function replaced(content: string): Promise<{ app: BoundDeployment<typeof Mortal> } & Disposable> {
  const directory = mkdtempSync(join(tmpdir(), 'inserve-broken-'));
  const file = join(directory, 'broken.mjs');
  const source = `import { deployment } from ${JSON.stringify(INSERVE)};
class Mortal { call() { return 'alive'; } }
export const app = deployment(Mortal, { module: import.meta.url, maxConstructorRetryCount: 1 }).bind();
`;
  writeFileSync(file, source);
  const { app } = (await import(pathToFileURL(file).href)) as { app: BoundDeployment<typeof Mortal> };
  writeFileSync(file, source + content);
  return { app, [Symbol.dispose]: () => rmSync(directory, { recursive: true }) };
}

test.each([
  ['a syntax error', 'const x = ;\n', /broken\.mjs:4: Unexpected token ';'/],
  ['an import that is not there', "\nimport { nothing } from 'node:fs';\n", /broken\.mjs:5: .*nothing/],
  [
    'a module that is not there',
    "import './absent.mjs';\n",
    /broken\.mjs:4: Cannot find module .*absent\.mjs'/,
  ],
  ['code that throws', "\n\nthrow new RangeError('on purpose');\n", /broken\.mjs:6:7: on purpose/],
  ['code that exits', 'process.exit(5);\n', /process\.exit\(\) was called at .*broken\.mjs:4:9/],
])('%s in a module is named with its file and line in the first line', async (_what, content, wanted) => {
  using module = await replaced(content);
  await using serve = quietServe();
  const { message } = await failure(serve.run(module.app));
  const [firstLine] = message.split('\n');
  expect(firstLine).toMatch(wanted);
});
