import { describe, expect, test } from 'vitest';
import type { AppConfig, Serve, ServeConfig } from '../../src/index.ts';
import { basic } from '../fixtures/calls/basic.ts';
import type { Clock } from '../fixtures/updates/configured.ts';
import { quietServe } from '../support/quiet.ts';
import { eventually, status } from '../support/until.ts';

const MODULE = './test/fixtures/updates/configured.ts';

function app(name: string, more: Partial<AppConfig> = {}): AppConfig {
  return { name, routePrefix: `/${name}`, import: `${MODULE}:utc`, ...more };
}

const ask = (serve: Serve, name: string) => serve.handle<typeof Clock>(name).remote();

function replicas(serve: Serve, name: string, deployment = 'Clock'): string[] {
  const report = serve.status().apps[name]?.deployments[deployment];
  return (report?.replicas ?? [])
    .filter(({ state }) => state !== 'STOPPING')
    .map(({ id }) => id)
    .sort();
}

/** Ray Serve's behaviours 3–7 and 68, by config. */
describe('serve.deploy(config)', () => {
  test('7: deploys what it names; the same again changes nothing; what is left out is deleted', async () => {
    await using serve = quietServe();
    await serve.run(basic.bind(), { name: 'by-hand', routePrefix: '/by-hand' });
    const config: ServeConfig = {
      apps: [app('a'), app('b', { import: `${MODULE}:zoned`, args: { zone: 'cet' } })],
    };
    await serve.deploy(config);
    expect((await ask(serve, 'a')).zone).toBe('utc');
    expect((await ask(serve, 'b')).zone).toBe('cet');
    const before = [replicas(serve, 'a'), replicas(serve, 'b')];
    await serve.deploy(structuredClone(config));
    expect([replicas(serve, 'a'), replicas(serve, 'b')]).toEqual(before);
    await serve.deploy({ apps: [app('b', { import: `${MODULE}:zoned`, args: { zone: 'cet' } })] });
    expect(Object.keys(serve.status().apps).sort()).toEqual(['b', 'by-hand']);
    expect(replicas(serve, 'b')).toEqual(before[1]);
    await expect(ask(serve, 'a')).rejects.toMatchObject({ code: 'SERVE_NOT_FOUND' });
    await serve.deploy({ apps: [] });
    expect(Object.keys(serve.status().apps)).toEqual(['by-hand']);
  });

  test('3: only userConfig differs: the same replicas have the new one', async () => {
    await using serve = quietServe();
    const at = (userConfig: unknown): ServeConfig => ({
      apps: [app('a', { deployments: [{ name: 'Clock', numReplicas: 2, userConfig }] })],
    });
    await serve.deploy(at({ tick: 1 }));
    await status(serve, 'a', 'Clock', 'HEALTHY');
    const before = replicas(serve, 'a');
    expect(before).toHaveLength(2);
    await serve.deploy(at({ tick: 2 }));
    expect(replicas(serve, 'a')).toEqual(before);
    const answers = await serve.handle<typeof Clock>('a').broadcast('call');
    expect(answers.map(({ config }) => config)).toEqual([{ tick: 2 }, { tick: 2 }]);
  });

  test('5: 2 → 4 → 1 replicas, the old ones stay while it grows', async () => {
    await using serve = quietServe();
    const at = (numReplicas: number): ServeConfig => ({
      apps: [app('a', { deployments: [{ name: 'Clock', numReplicas }] })],
    });
    const statuses: string[] = [];
    serve.on('deployment', (data) => statuses.push(data.status));
    await serve.deploy(at(2));
    await status(serve, 'a', 'Clock', 'HEALTHY');
    const two = replicas(serve, 'a');
    await serve.deploy(at(4));
    await status(serve, 'a', 'Clock', 'HEALTHY');
    expect(replicas(serve, 'a')).toHaveLength(4);
    expect(replicas(serve, 'a')).toEqual(expect.arrayContaining(two));
    await serve.deploy(at(1));
    await status(serve, 'a', 'Clock', 'HEALTHY');
    expect(two).toContain(replicas(serve, 'a')[0]);
    expect(statuses).toContain('UPSCALING');
  });

  test('6: two apps with a deployment of one name; deleting one leaves the other', async () => {
    await using serve = quietServe();
    await serve.deploy({ apps: [app('a'), app('b')] });
    expect([replicas(serve, 'a'), replicas(serve, 'b')]).toEqual([
      [expect.any(String)],
      [expect.any(String)],
    ]);
    await serve.deploy({ apps: [app('b')] });
    expect((await ask(serve, 'b')).zone).toBe('utc');
  });

  test('68: the target capacity is a share of every deployment, halves rounded up, and none at 0', async () => {
    await using serve = quietServe();
    const at = (targetCapacity: number | null): ServeConfig => ({
      apps: [
        app('a', { deployments: [{ name: 'Clock', numReplicas: 3 }] }),
        app('b', { import: `${MODULE}:zoned`, args: { zone: 'cet' } }),
      ],
      targetCapacity,
    });
    await serve.deploy(at(50));
    await eventually(() => replicas(serve, 'a').length === 2 && replicas(serve, 'b').length === 1);
    await serve.deploy(at(0));
    await eventually(() => replicas(serve, 'a').length === 0 && replicas(serve, 'b').length === 0);
    await serve.deploy(at(null));
    await eventually(() => replicas(serve, 'a').length === 3 && replicas(serve, 'b').length === 1);
  });

  test('arguments that differ make a new version', async () => {
    await using serve = quietServe();
    const at = (zone: string): ServeConfig => ({
      apps: [app('a', { import: `${MODULE}:zoned`, args: { zone } })],
    });
    await serve.deploy(at('utc'));
    const version = serve.status().apps['a']?.version;
    await serve.deploy(at('cet'));
    expect((await ask(serve, 'a')).zone).toBe('cet');
    expect(serve.status().apps['a']?.version).not.toBe(version);
    await serve.rollback('a');
    expect((await ask(serve, 'a')).zone).toBe('utc');
    expect(serve.status().apps['a']?.version).toBe(version);
  });

  test('a route prefix passes from an app that goes to one that comes', async () => {
    await using serve = quietServe();
    await serve.deploy({ apps: [app('a', { routePrefix: '/clock' })] });
    await serve.deploy({ apps: [app('b', { routePrefix: '/clock' })] });
    expect(serve.status().apps).toEqual({ b: expect.objectContaining({ routePrefix: '/clock' }) });
    await serve.deploy({ apps: [app('a', { routePrefix: '/clock' }), app('b', { routePrefix: null })] });
    expect(serve.status().apps).toMatchObject({ a: { routePrefix: '/clock' }, b: { routePrefix: null } });
  });

  test.each<[string, unknown, string]>([
    ['no object', 7, 'config: got 7'],
    ['no apps', {}, 'config.apps: got undefined'],
    ['an unknown key', { apps: [], app: [] }, 'config.app: got an array of 0; allowed: no such option'],
    ['an app without a name', { apps: [{ import: `${MODULE}:utc` }] }, 'config.apps[0].name: got undefined'],
    ['an app without a module', { apps: [{ name: 'a' }] }, 'config.apps[0].import: got undefined'],
    ['a module without an export', { apps: [app('a', { import: MODULE })] }, 'config.apps[0].import'],
    ['two apps of one name', { apps: [app('a'), app('a')] }, 'config.apps[1].name: got "a"'],
    ['a prefix twice', { apps: [app('a'), app('b', { routePrefix: '/a' })] }, 'config.apps[1].routePrefix'],
    ['a bad prefix', { apps: [app('a', { routePrefix: 'a/' })] }, 'config.apps[0].routePrefix: got "a/"'],
    ['a capacity that is none', { apps: [], targetCapacity: 101 }, 'config.targetCapacity: got 101'],
    [
      'an export that is not there',
      { apps: [app('a'), app('b', { import: `${MODULE}:cet` })] },
      'config.apps[1].import: got "./test/fixtures/updates/configured.ts:cet"; allowed: an export of the module: ',
    ],
    [
      'an export that is no app',
      { apps: [app('a', { import: `${MODULE}:notAnApp` })] },
      'a bound deployment',
    ],
    ['one that is not bound', { apps: [app('a', { import: `${MODULE}:unbound` })] }, 'call .bind() on it'],
    ['arguments for no function', { apps: [app('a', { args: {} })] }, 'config.apps[0].args'],
    [
      'an option out of range',
      { apps: [app('a', { deployments: [{ name: 'Clock', numReplicas: 0 }] })] },
      'config.apps[0].deployments[0].numReplicas: got 0',
    ],
    [
      'a deployment that the app does not have',
      { apps: [app('a', { deployments: [{ name: 'Cuckoo' }] })] },
      'config.apps[0].deployments[0].name: got "Cuckoo"; allowed: a deployment of the app: Clock',
    ],
    [
      'a deployment twice',
      { apps: [app('a', { deployments: [{ name: 'Clock' }, { name: 'Clock' }] })] },
      'config.apps[0].deployments[1].name',
    ],
  ])('%s is refused with its path, and nothing is changed', async (_what, config, message) => {
    await using serve = quietServe();
    await expect(serve.deploy(config as ServeConfig)).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining(message),
    });
    expect(serve.status().apps).toEqual({});
  });

  test.each<[string, AppConfig, string]>([
    ['a module that is not there', app('a', { import: './nowhere.ts:x' }), "cannot import './nowhere.ts'"],
    ['a function that throws', app('a', { import: `${MODULE}:zoned` }), "'zoned' threw: a zone, please"],
  ])('%s fails the config, with the cause', async (_what, config, message) => {
    await using serve = quietServe();
    await expect(serve.deploy({ apps: [app('b'), config] })).rejects.toMatchObject({
      code: 'SERVE_DEPLOY_FAILED',
      message: expect.stringContaining(message),
      cause: expect.any(Error),
    });
    expect(serve.status().apps).toEqual({});
  });

  test('overrides reach the deployments they name, and no others', async () => {
    await using serve = quietServe();
    await serve.deploy({
      apps: [app('a', { import: `${MODULE}:both`, deployments: [{ name: 'Clock_1', numReplicas: 2 }] })],
    });
    await eventually(() => replicas(serve, 'a', 'Clock_1').length === 2);
    expect(replicas(serve, 'a', 'Clock')).toHaveLength(1);
    expect(replicas(serve, 'a', 'Tower')).toHaveLength(1);
  });

  test('an app of run keeps its prefix', async () => {
    await using serve = quietServe();
    await serve.run(basic.bind(), { name: 'by-hand', routePrefix: '/a' });
    await expect(serve.deploy({ apps: [app('a')] })).rejects.toMatchObject({
      message: expect.stringContaining('config.apps[0].routePrefix: got "/a"'),
    });
  });
});
