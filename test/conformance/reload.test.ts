import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { BoundDeployment, DeploymentHandle, Serve } from '../../src/index.ts';
import { quietServe } from '../support/quiet.ts';
import { steadyLoad } from '../support/steady-load.ts';
import { event, status } from '../support/until.ts';

declare class Greeter {
  call(name: string): string;
}

const INSERVE = new URL('../../src/index.ts', import.meta.url).href;

/** A project of two modules in a directory of its own: what is on its disk can be changed. */
class Project implements Disposable {
  readonly #directory = mkdtempSync(join(tmpdir(), 'inserve-reload-'));

  constructor(greeting: string) {
    mkdirSync(join(this.#directory, 'lib'));
    writeFileSync(join(this.#directory, 'package.json'), '{ "type": "module" }');
    this.write(
      'greeter.ts',
      `import { deployment } from ${JSON.stringify(INSERVE)};
       import { greeting } from './lib/greeting.ts';
       class Greeter {
         async call(name: string) { return greeting + ', ' + name; }
       }
       export const app = deployment(Greeter, { numReplicas: 2, module: import.meta.url }).bind();`,
    );
    this.greet(greeting);
  }

  greet(greeting: string): void {
    this.write('lib/greeting.ts', `export const greeting: string = ${JSON.stringify(greeting)};`);
  }

  write(file: string, content: string): void {
    writeFileSync(join(this.#directory, file), content);
  }

  async run(serve: Serve): Promise<DeploymentHandle<typeof Greeter>> {
    const url = pathToFileURL(join(this.#directory, 'greeter.ts')).href;
    const { app } = (await import(url)) as { app: BoundDeployment<typeof Greeter> };
    return await serve.run(app, { name: 'app' });
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true });
  }
}

describe('serve.reload', () => {
  test('fresh threads import what is on disk; no call fails', async () => {
    using project = new Project('Hello');
    await using serve = quietServe();
    const handle = await project.run(serve);
    await status(serve, 'app', 'Greeter', 'HEALTHY');
    const outcomes = await steadyLoad(
      8,
      () => handle.remote('Ada'),
      async () => {
        project.greet('Bonjour');
        await serve.reload('app');
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(['Hello, Ada', 'Bonjour, Ada']);
    expect(await handle.remote('Ada')).toBe('Bonjour, Ada');
    project.greet('Ciao');
    await serve.reload('app');
    expect(await handle.remote('Ada')).toBe('Ciao, Ada');
  });

  test.each<[string, string, string]>([
    ['does not parse', 'export const greeting = ;', 'import failed'],
    [
      'throws when it is imported',
      "export const greeting = ''; throw new Error('no greeting today');",
      'no greeting today',
    ],
    ['no longer has what is asked of it', 'export const farewell = 1;', 'greeting'],
  ])('code that %s is refused; the old code serves on', async (_what, code, message) => {
    using project = new Project('Hello');
    await using serve = quietServe();
    const handle = await project.run(serve);
    // A replica that starts later would find the broken code as well.
    await status(serve, 'app', 'Greeter', 'HEALTHY');
    project.write('lib/greeting.ts', code);
    const outcomes = await steadyLoad(
      4,
      () => handle.remote('Ada'),
      async () => {
        await expect(serve.reload('app')).rejects.toMatchObject({
          code: 'SERVE_DEPLOY_FAILED',
          message: expect.stringContaining(message),
          cause: expect.any(Error),
        });
        await status(serve, 'app', 'Greeter', 'HEALTHY');
      },
    );
    expect(outcomes.errors).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(['Hello, Ada']);
    project.greet('Hello again');
    await serve.reload('app');
    expect(await handle.remote('Ada')).toBe('Hello again, Ada');
  });

  test('an app that is not there cannot be reloaded', async () => {
    await using serve = quietServe();
    await expect(serve.reload('nobody')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
  });
});

describe('createServe({ dev: true })', () => {
  const reloaded = (serve: Serve) =>
    event(serve, 'deployment', ({ deployment, status }) => deployment === 'Greeter' && status === 'HEALTHY');

  test('reloads when a file changes that replicas have imported, and survives code that does not work', async () => {
    using project = new Project('Hello');
    await using serve = quietServe({ dev: true });
    const handle = await project.run(serve);
    await status(serve, 'app', 'Greeter', 'HEALTHY');
    const first = reloaded(serve);
    project.greet('Bonjour');
    await first;
    expect(await handle.remote('Ada')).toBe('Bonjour, Ada');

    const refused = event(serve, 'deployment', ({ message }) => message.startsWith('rolled back'));
    project.write('lib/greeting.ts', 'export const greeting = ;');
    await refused;
    expect(await handle.remote('Ada')).toBe('Bonjour, Ada');
    expect(serve.log.records.some(({ message }) => message.includes('reload failed'))).toBe(true);
    await status(serve, 'app', 'Greeter', 'HEALTHY');

    const second = event(
      serve,
      'deployment',
      ({ message, status }) => status === 'HEALTHY' && message === '',
    );
    project.greet('Ciao');
    await second;
    expect(await handle.remote('Ada')).toBe('Ciao, Ada');
  });
});
