import { Redis } from 'ioredis';
import { describe, expect, test } from 'vitest';
import { object, parseOptions } from '../validation/fields.ts';
import { FLEET_FIELDS, type FleetSettings, fleetOptions, REDIS_FIELD } from './fleet-settings.ts';

const SECRET = 'a secret of the fleet, for tests!';
const URL = 'redis://127.0.0.1:6379';

function parse(settings: object): FleetSettings {
  return parseOptions<FleetSettings>(settings, FLEET_FIELDS, 'createServe.fleet');
}

describe('the settings of a fleet', () => {
  test('have defaults', () => {
    expect(fleetOptions(URL, parse({ secret: SECRET }), {})).toEqual({
      name: 'default',
      secrets: [SECRET],
      listen: { host: '127.0.0.1', port: 0 },
      membership: { redis: { url: URL }, zone: '' },
    });
  });

  test('come from the environment where they are not given', () => {
    const environment = {
      INSERVE_FLEET_NAME: 'prod',
      INSERVE_FLEET_LISTEN: '[::]:7411',
      INSERVE_FLEET_ADVERTISE: '10.1.2.3',
      INSERVE_FLEET_ALLOW: '10.0.0.0/8,fd00::/8',
      INSERVE_FLEET_ZONE: 'eu-1',
      INSERVE_FLEET_SECRET: `${SECRET}\n${SECRET}2\n`,
    };
    expect(fleetOptions(URL, parse({ zone: 'eu-2' }), environment)).toEqual({
      name: 'prod',
      secrets: [SECRET, `${SECRET}2`],
      listen: { host: '::', port: 7411 },
      allow: { networks: ['10.0.0.0/8', 'fd00::/8'] },
      membership: { redis: { url: URL }, advertise: '10.1.2.3', zone: 'eu-2' },
    });
  });

  test.each([
    ['0.0.0.0:7411', { host: '0.0.0.0', port: 7411 }],
    [':7411', { host: '127.0.0.1', port: 7411 }],
    ['10.0.0.1', { host: '10.0.0.1', port: 0 }],
  ])('INSERVE_FLEET_LISTEN=%s', (text, listen) => {
    const environment = { INSERVE_FLEET_LISTEN: text, INSERVE_FLEET_SECRET: SECRET };
    expect(fleetOptions(URL, {}, environment).listen).toEqual(listen);
  });

  test('name a network that is none', () => {
    const settings = { secret: SECRET, allow: ['10.0.0.0'] };
    expect(() => fleetOptions(URL, settings, {})).toThrow(/fleet\.allow.*10\.0\.0\.0/);
  });

  test('need a secret', () => {
    expect(() => fleetOptions(URL, {}, {})).toThrow(/createServe\.fleet\.secret.*32 bytes/);
  });

  test.each([
    [{ secret: 'short' }, 'secret'],
    [{ secret: [] }, 'secret'],
    [{ secret: [SECRET, 'short'] }, 'secret'],
    [{ name: 'a{b}' }, 'name'],
    [{ listen: { host: 'localhost' } }, 'listen.host'],
    [{ listen: { port: 70_000 } }, 'listen.port'],
    [{ advertise: 'host.example' }, 'advertise'],
    [{ advertise: '0.0.0.0' }, 'advertise'],
    [{ advertise: '169.254.1.1' }, 'advertise'],
    [{ allow: 'all' }, 'allow'],
    [{ zone: '' }, 'zone'],
    [{ maxPayload: '2gb' }, 'maxPayload'],
    [{ maxPayload: 0 }, 'maxPayload'],
    [{ trustNetwork: 'yes' }, 'trustNetwork'],
    [{ tls: { cert: 'x', key: 1 } }, 'tls.key'],
    [{ peers: [] }, 'peers'],
  ])('refuse %j', (settings, name) => {
    expect(() => parse(settings)).toThrow(`createServe.fleet.${name}`);
  });

  test.each([
    ['a URL', URL, { url: URL }],
    ['a module', { module: 'file:///app/redis.js' }, { module: 'file:///app/redis.js' }],
    [
      'options',
      { sentinels: [{ host: 'a', port: 1 }], name: 'm' },
      { options: { sentinels: [{ host: 'a', port: 1 }], name: 'm' } },
    ],
  ])('take Redis as %s', (_what, redis, settings) => {
    const parsed = REDIS_FIELD.parse(redis, 'createServe.redis');
    expect(fleetOptions(parsed, { secret: SECRET }, {}).membership?.redis).toEqual(settings);
  });

  test('take a client of the app', () => {
    const client = new Redis({ lazyConnect: true });
    const parsed = REDIS_FIELD.parse(client, 'createServe.redis');
    expect(fleetOptions(parsed, { secret: SECRET }, {}).membership?.redis).toEqual({ client });
  });

  test('say what to write in place of options with functions', () => {
    const redis = { host: 'a', retryStrategy: () => 1 };
    expect(() => REDIS_FIELD.parse(redis, 'createServe.redis')).toThrow(
      /options of ioredis without functions, a client of ioredis, or \{ module \} that makes one/,
    );
  });

  test('name the option of Redis that cannot be used', () => {
    const settings = { host: 'a', sentinels: [{ host: 'b', connector: () => 1 }] };
    expect(() => REDIS_FIELD.parse(settings, 'createServe.redis')).toThrow(
      'createServe.redis.sentinels[0].connector: got function',
    );
    expect(() => REDIS_FIELD.parse({ module: './redis.js' }, 'createServe.redis')).toThrow(
      /^createServe\.redis\.module: got "\.\/redis\.js"; allowed: a file: URL/,
    );
  });

  test('say how long a short secret is, and show neither it nor a password', () => {
    const refused = (parse: () => unknown): string => {
      try {
        return `accepted ${String(parse())}`;
      } catch (error) {
        return (error as Error).message;
      }
    };
    const environment = { INSERVE_FLEET_SECRET: 'hush' };
    expect(refused(() => fleetOptions(URL, {}, environment))).toBe(
      'INSERVE_FLEET_SECRET: got a text of 4 bytes; allowed: a text of at least 32 bytes, or a list of such texts',
    );
    expect(refused(() => REDIS_FIELD.parse('http://me:hush@host', 'redis'))).toContain('got "http://…@host"');
    expect(refused(() => REDIS_FIELD.parse('redis://:hu#sh@host', 'redis'))).toContain(
      'got "redis://…@host"',
    );
  });

  test.each([
    'http://x',
    6379,
    'redis://a:port',
    { cluster: [] },
    { cluster: ['a:1'] },
    { nested: { on: () => {} } },
  ])('refuse %o as Redis', (redis) => {
    expect(() => object({ redis: REDIS_FIELD }).parse({ redis }, 'createServe')).toThrow('createServe.redis');
  });
});
