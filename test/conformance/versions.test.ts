import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { BoundDeployment, Serve } from '../../src/index.ts';
import { quietServe } from '../support/quiet.ts';

declare class Greeter {
  call(): string;
}

const INSERVE = new URL('../../src/index.ts', import.meta.url).href;

/** One release of a package, installed in a folder of its own. */
class Release implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'inserve-release-'));
  readonly #file: string;

  constructor(packageName: string, file = 'greeter.ts') {
    writeFileSync(
      join(this.#folder, 'package.json'),
      JSON.stringify({ name: packageName, version: '1.0.0', type: 'module' }),
    );
    this.#file = join(this.#folder, file);
    writeFileSync(
      this.#file,
      `import { deployment } from ${JSON.stringify(INSERVE)};
       class Greeter {
         call() { return 'Hello'; }
       }
       export const app = deployment(Greeter, { module: import.meta.url }).bind();`,
    );
  }

  async run(serve: Serve): Promise<{ version: string; replicas: string[] }> {
    const { app } = (await import(pathToFileURL(this.#file).href)) as {
      app: BoundDeployment<typeof Greeter>;
    };
    const handle = await serve.run(app, { name: 'app' });
    expect(await handle.remote()).toBe('Hello');
    const { version = '', deployments = {} } = serve.status().apps['app'] ?? {};
    return { version, replicas: deployments['Greeter']?.replicas.map(({ id }) => id) ?? [] };
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true });
  }
}

describe('the version of a deployment', () => {
  test('is the same for one package in two folders: the second run changes nothing', async () => {
    using one = new Release('speech');
    using other = new Release('speech');
    await using serve = quietServe({ version: '1' });
    expect(await other.run(serve)).toEqual(await one.run(serve));
  });

  test.each<[string, string, string]>([
    ['another package', 'vision', 'greeter.ts'],
    ['another file', 'speech', 'other.ts'],
  ])('is another one for %s', async (_what, packageName, file) => {
    using one = new Release('speech');
    using other = new Release(packageName, file);
    await using serve = quietServe({ version: '1' });
    const [before, after] = [await one.run(serve), await other.run(serve)];
    expect(after.version).not.toBe(before.version);
    expect(after.replicas).not.toEqual(before.replicas);
  });
});
