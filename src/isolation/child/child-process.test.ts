import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { eventually } from '../../../test/support/until.ts';
import { ChildExitError, reportExit } from './child-exit.ts';
import { type ChildCommand, ChildProcess } from './child-process.ts';
import { processMemory } from './process-memory.ts';

/** A child that runs a program of Node, and is ended with the test. */
class TestChild extends ChildProcess {
  readonly output: Buffer[];

  constructor(program: string, command: Partial<ChildCommand> = {}) {
    const output: Buffer[] = [];
    super({
      file: process.execPath,
      args: ['-e', program],
      env: process.env,
      onOutput: (_, bytes) => void output.push(bytes),
      ...command,
    });
    this.output = output;
  }

  get text(): string {
    return Buffer.concat(this.output).toString();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.exited;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const IDLE = 'setInterval(() => {}, 1000);';

describe('the end of a child process', () => {
  test.each([
    ['process.exit(3)', 'its process exited with code 3', { exitCode: 3, signal: null }],
    ["process.kill(process.pid, 'SIGSEGV')", 'its process was ended by SIGSEGV', { signal: 'SIGSEGV' }],
    ['process.abort()', 'its process was ended by SIGABRT', { exitCode: null }],
    ["process.kill(process.pid, 'SIGKILL')", /^its process was .*out of memory/, { signal: 'SIGKILL' }],
  ])('of %s is described', async (program, message, details) => {
    await using child = new TestChild(program);
    const error = new ChildExitError(reportExit(await child.exited));
    expect(error).toMatchObject({ message: expect.stringMatching(message), ...details });
  });

  test('of a full heap is described', async () => {
    const program = 'const all = []; for (;;) all.push(new Array(1e4).fill(Math.random()))';
    await using child = new TestChild('', { args: ['--max-old-space-size=20', '-e', program] });
    expect(new ChildExitError(reportExit(await child.exited)).message).toMatch(/^its heap was full/);
  });

  test('that this side asked for is told apart', async () => {
    await using child = new TestChild(IDLE);
    child.kill();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL', isKilled: true });
  });

  test('of a program that does not exist is an exit, too', async () => {
    await using child = new TestChild('', { file: '/nowhere/python3' });
    expect(child.pid).toBeUndefined();
    expect(new ChildExitError(reportExit(await child.exited)).message).toBe(
      'its process could not be started: spawn /nowhere/python3 ENOENT',
    );
  });

  test('comes with the last 4 KiB of its standard error, and with all that it sent', async () => {
    const program = `
      const { writeSync } = require('node:fs');
      writeSync(3, 'a'.repeat(1_000));
      for (let line = 0; line < 1_000; line++) writeSync(2, 'line ' + line + '\\n');
      process.exit(1);`;
    await using child = new TestChild(program);
    let received = 0;
    child.link.on('data', (bytes: Buffer) => {
      received += bytes.length;
    });
    const { stderr } = await child.exited;
    expect(stderr.length).toBe(4_096);
    expect(stderr).toMatch(/line 998\nline 999\n$/);
    expect(received).toBe(1_000);
    expect(child.text).toContain('line 0\n');
  });

  test('is the end of its process group', async () => {
    const program = `
      const { spawn } = require('node:child_process');
      const { pid } = spawn(process.execPath, ['-e', '${IDLE}'], { stdio: 'inherit' });
      console.log(String(pid));
      ${IDLE}`;
    await using child = new TestChild(program);
    await eventually(() => /^\d+\n/.test(child.text));
    const grandchild = Number(child.text);
    expect(isAlive(grandchild)).toBe(true);
    process.kill(child.pid ?? 0, 'SIGKILL');
    await child.exited;
    await eventually(() => !isAlive(grandchild));
  });
});

test('the link is file descriptor 3, both ways', async () => {
  const program = `
    const socket = new (require('node:net').Socket)({ fd: 3 });
    socket.on('data', (bytes) => socket.write('got ' + bytes));
    socket.on('end', () => process.exit(7));`;
  await using child = new TestChild(program);
  child.link.write('this');
  const [answer] = await once(child.link, 'data');
  expect(String(answer)).toBe('got this');
  child.link.end();
  expect(await child.exited).toMatchObject({ code: 7 });
});

test.runIf(process.platform === 'linux')('the resident memory of a process is known', async () => {
  await using child = new TestChild(IDLE);
  await eventually(async () => ((await processMemory(child.pid ?? 0)) ?? 0) > 5_000_000);
  child.kill();
  await child.exited;
  expect(await processMemory(child.pid ?? 0)).toBeUndefined();
});
