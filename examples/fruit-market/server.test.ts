import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ServeConfig, StatusReport } from '../../src/index.ts';
import { expectConsole } from '../../test/support/docs/console.ts';
import { startExample } from '../../test/support/example.ts';
import { eventually } from '../../test/support/until.ts';

test('fruit: orders find their stand; prices change in place; a bad config changes nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'inserve-fruit-'));
  const file = join(directory, 'serve.json');
  const config = JSON.parse(readFileSync(new URL('serve.json', import.meta.url), 'utf8')) as ServeConfig;
  const write = (mangos: number, more: object = {}): void => {
    const [app] = config.apps;
    const [stand, ...others] = app?.deployments ?? [];
    const deployments = [{ ...stand, userConfig: { price: mangos } }, ...others];
    writeFileSync(file, JSON.stringify({ apps: [{ ...app, deployments }], ...more }));
  };
  try {
    write(3);
    await using example = await startExample('fruit-market', { CONFIG: file });
    await eventually(() => example.output().includes('kill -HUP'));
    await expectConsole('examples/fruit-market/README.md', example.url);
    const pid = Number(/kill -HUP (\d+)/.exec(example.output())?.[1]);
    const order = async (fruit: string): Promise<unknown> => {
      const body = JSON.stringify({ fruit, amount: 2 });
      return await (await fetch(`${example.url}/market`, { method: 'POST', body })).json();
    };
    const replicas = async (): Promise<string[]> => {
      const { apps } = (await (await fetch(`${example.url}/status`)).json()) as StatusReport;
      return Object.values(apps['market']?.deployments ?? {}).flatMap(({ replicas: all }) =>
        all.map(({ id }) => id),
      );
    };
    expect(await order('mango')).toEqual({ fruit: 'mango', amount: 2, price: 6 });
    expect(await order('pear')).toMatchObject({ price: 8 });
    expect(await order('kiwi')).toEqual({ error: 'nobody sells kiwi' });
    await eventually(async () => (await replicas()).length === 5);
    const before = await replicas();

    write(5);
    process.kill(pid, 'SIGHUP');
    await eventually(() => example.output().includes('deployed the config'));
    expect(await order('mango')).toMatchObject({ price: 10 });
    expect(await replicas()).toEqual(before);

    write(5, { targetCapacity: 200 });
    process.kill(pid, 'SIGHUP');
    await eventually(() => example.output().includes('refused the config: config.targetCapacity: got 200'));
    expect(await order('mango')).toMatchObject({ price: 10 });
    expect(await replicas()).toEqual(before);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
