import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { kwargs, pythonDeployment } from '../../../src/index.ts';
import { BasicsDeployment, basics, CallerDeployment } from '../../fixtures/python/deployments.ts';
import { HAS_PYTHON } from '../../support/python.ts';
import { quietServe } from '../../support/quiet.ts';

/** Resolves with the error of a deployment that cannot start. */
async function failureOf(
  run: Promise<unknown>,
): Promise<{ message: string; cause: Error & { code?: string } }> {
  return run.then(
    () => Promise.reject(new Error('the deployment started')),
    (error) => error,
  );
}

const module = new URL('../../fixtures/python/deployments.ts', import.meta.url).href;

describe.skipIf(!HAS_PYTHON)('the life of a Python replica (skipped without Python 3.9 or newer)', () => {
  test('metrics, records and requests carry their identity', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basics);
    await handle.speak.remote();
    await handle.add.remote(1);
    const messages = () => serve.log.records.map(({ level, message }) => `${level} ${message}`);
    await expect
      .poll(messages)
      .toEqual(expect.arrayContaining(['info to stdout', 'info to stderr', 'warn to logging']));
    expect(messages()).not.toContain('debug not shown');
    const record = serve.log.records.find(({ message }) => message === 'to logging');
    expect(record?.fields).toMatchObject({ deployment: 'Basics', requestId: expect.any(String) });
    await expect
      .poll(() => serve.metrics(), { interval: 200 })
      .toMatch(/basics_calls\{app="Basics",deployment="Basics"[^}]*\} 1/);
  });

  test('a user config reconfigures it in place, and its health is checked', async () => {
    await using serve = quietServe();
    const deployment = BasicsDeployment.options({ userConfig: { n: 1 }, healthCheckPeriodMs: 50 });
    const handle = await serve.run(deployment.bind());
    expect(await handle.configured.remote()).toEqual({ n: 1 });
    const pid = await handle.pid.remote();
    await serve.run(BasicsDeployment.options({ userConfig: { n: 2 }, healthCheckPeriodMs: 50 }).bind(), {
      name: 'Basics',
    });
    expect(await handle.configured.remote()).toEqual({ n: 2 });
    expect(await handle.pid.remote()).toBe(pid);
    await handle.set_healthy.remote(false);
    await expect.poll(() => handle.pid.remote()).not.toBe(pid);
  });

  test('the destructor runs once when it is closed', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'inserve-')), 'closed');
    const serve = quietServe();
    await serve.run(BasicsDeployment.options({ env: { BASICS_CLOSED_FILE: file } }).bind());
    await serve.close();
    expect(readFileSync(file, 'utf8')).toBe('closed\n');
  });

  test('a process that exits fails its own calls, and is replaced', async () => {
    await using serve = quietServe();
    const handle = await serve.run(basics);
    const pid = await handle.pid.remote();
    await expect(handle.exit_now.remote(7)).rejects.toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('exited with code 7'),
    });
    expect(await handle.pid.remote()).not.toBe(pid);
    await expect(handle.leave.remote()).rejects.toMatchObject({
      code: 'SERVE_REPLICA_DIED',
      message: expect.stringContaining('exited with code 3'),
    });
    expect(await handle.add.remote(1)).toBe(2);
  });

  test('calls other deployments through handles', async () => {
    await using serve = quietServe();
    const handle = await serve.run(CallerDeployment.bind(basics));
    expect(await handle.relay.remote('Bob')).toBe('hi Bob?');
    expect(await handle.relay_in_sync.remote(5)).toBe(15);
    expect(await handle.chained.remote(1)).toBe(102);
    expect(await handle.failing.remote()).toBe('RemoteError ValueError: deep');
    expect(await handle.unawaited.remote()).toContain('await it');
    const [own, child] = await handle.request_ids.remote();
    expect(child).toBe(own);
    const numbers: number[] = [];
    for await (const number of handle.stream.remote(150)) numbers.push(number);
    expect(numbers).toEqual(Array.from({ length: 150 }, (_, index) => index * 10));
  });

  test('one that does not start in time says so', async () => {
    await using serve = quietServe();
    const slow = pythonDeployment('./constructors.py:Sleeps', { name: 'Sleeps', module });
    const options = { startTimeoutMs: 3_000, maxConstructorRetryCount: 1 };
    const failure = await failureOf(serve.run(slow.options(options).bind()));
    expect(failure.message).toContain('it did not start within 3000 ms');
  });

  test.each([
    ['a file that is not there', './missing.py:Basics', {}, 'there is no file'],
    ['a name that is not there', './basics.py:Missing', {}, "no class or function 'Missing'; it has Basics"],
    ['an interpreter that is not there', './basics.py:Basics', { interpreter: '/no/python' }, '/no/python'],
    ['a virtual environment that is not there', './basics.py:Basics', { venv: './none' }, 'python3 -m venv'],
    ['a module that is not installed', './faulty.py:Anything', {}, 'ModuleNotFoundError: No module named'],
    ['what is not installed, with advice', './faulty.py:Anything', {}, 'install it there, or choose another'],
    ['a syntax error', './unparsable.py:Anything', {}, 'SyntaxError'],
  ])('fails at once for %s', async (_name, target, python, message) => {
    await using serve = quietServe();
    const started = performance.now();
    const failure = await failureOf(
      serve.run(pythonDeployment(target, { name: 'X', module, python }).bind()),
    );
    expect(failure.message).toContain(message);
    expect(performance.now() - started).toBeLessThan(50_000);
  });

  test.each([
    ['an exception', 'Fails', 'no weights'],
    ['the end of its process', 'Exits', 'exited with code 9'],
  ])('a constructor with %s fails the deployment', async (_name, name, message) => {
    await using serve = quietServe();
    const options = { module, maxConstructorRetryCount: 1 };
    const run = serve.run(pythonDeployment(`./constructors.py:${name}`, options).bind());
    expect((await failureOf(run)).message).toContain(message);
  });

  test('an async create makes the instance', async () => {
    await using serve = quietServe();
    const Created = pythonDeployment<{ call(): number }, [number]>('./constructors.py:Created', { module });
    const handle = await serve.run(Created.bind(4));
    expect(await handle.remote()).toBe(8);
  });

  test.each([[[1]], [[kwargs({ loud: true })]]])(
    'a function that is bound to %j is refused',
    async (args) => {
      await using serve = quietServe();
      const shout = pythonDeployment<unknown, unknown[]>('./basics.py:shout', { module });
      const { cause } = await failureOf(serve.run(shout.bind(...args)));
      expect(cause).toMatchObject({
        code: 'SERVE_INVALID_OPTION',
        message: expect.stringContaining(
          'shout.bind(): got arguments; allowed: none, since shout is no class',
        ),
      });
    },
  );

  test('a reserved method name is refused with its place', async () => {
    await using serve = quietServe();
    const run = serve.run(pythonDeployment<unknown, []>('./constructors.py:Reserved', { module }).bind());
    expect((await failureOf(run)).message).toMatch(/Reserved\.map \(.*constructors\.py:\d+\)/);
  });
});
