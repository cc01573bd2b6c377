import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { worker } from '../../fixtures/load/overload.ts';
import { stuckable } from '../../fixtures/observed/stuckable.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { event, eventually } from '../../support/until.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/programs/logging.ts', import.meta.url));
const ESCAPE = '\u001b[';

/** What the program writes to stderr. */
async function stderrOf(env: Record<string, string>): Promise<string[]> {
  const { NO_COLOR: _1, FORCE_COLOR: _2, ...inherited } = process.env;
  const child = spawn(process.execPath, [PROGRAM], {
    env: { ...inherited, ...env },
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const [output] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  return output.trim().split('\n');
}

describe('the default logger', () => {
  test('writes JSON where nobody looks: replicas and apps that are ready, updates', async () => {
    const records = (await stderrOf({})).map((line) => JSON.parse(line) as Record<string, unknown>);
    const messages = records.map(({ msg }) => msg);
    expect(messages).toEqual([
      expect.stringMatching(/^Basic: replica Basic#\w+ is ready after \d/),
      expect.stringMatching(/^app 'Basic' is ready after \d/),
      expect.stringMatching(/^Basic: replica Basic#\w+ is ready after \d/),
      expect.stringMatching(/^app 'Basic' is updated to version 2 after \d/),
    ]);
    expect(records[0]).toMatchObject({ level: 'info', app: 'Basic', startMs: expect.any(Number) });
  });

  test('writes lines for people if it is told to, in colours where they are wanted', async () => {
    const plain = await stderrOf({ INSERVE_LOG: 'pretty' });
    expect(plain[1]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} INFO {2}app 'Basic' is ready after \d.* version=\w+/);
    const coloured = await stderrOf({ INSERVE_LOG: 'pretty', FORCE_COLOR: '1' });
    expect(coloured[1]).toContain(ESCAPE);
    const none = await stderrOf({ INSERVE_LOG: 'pretty', NO_COLOR: '1' });
    expect(none.join('')).not.toContain(ESCAPE);
  });
});

test('a lag that meets no call is no warning', async () => {
  const hostGuard = { enabled: true, shedSheddableMs: 50, shedAllMs: 100_000 };
  await using serve = quietServe({ hostGuard });
  const handle = await serve.run(worker.bind(new Shared().buffer));
  const overload = event(serve, 'fault', ({ reason }) => reason === 'host overload');
  const recovered = event(serve, 'fault', ({ reason }) => reason === 'host recovered');
  const end = performance.now() + 1_500;
  while (performance.now() < end) {
    blocked(150);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await overload;
  // More important calls are let in, and are no news.
  await handle.where.remote();
  await recovered;
  const messages = serve.log.records.map(({ message }) => message);
  expect(messages.filter((message) => /lags|recovered/.test(message))).toEqual([]);
});

function blocked(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

test('a replica that is stuck, and one that is back', async () => {
  await using serve = quietServe();
  const handle = await serve.run(stuckable.bind());
  await handle.block.remote(600);
  const messages = (): string[] => serve.log.records.map(({ message }) => message);
  await eventually(() => messages().some((message) => message.includes('is back')));
  expect(messages()).toContainEqual(
    expect.stringMatching(
      /^Stuckable: replica Stuckable#\w+ is stuck: its event loop has been blocked for \d+ ms$/,
    ),
  );
  expect(messages()).toContainEqual(expect.stringMatching(/ is back: its event loop turns again$/));
});
