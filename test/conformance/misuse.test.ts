import { expect, test } from 'vitest';
import type { BoundDeployment, MiddlewareOptions, RunOptions } from '../../src/index.ts';
import { basic } from '../fixtures/calls/basic.ts';
import { forgetful } from '../fixtures/calls/forgetful.ts';
import { methods } from '../fixtures/calls/values.ts';
import { probe } from '../fixtures/http/probe.ts';
import { send } from '../support/http/client.ts';
import { listen } from '../support/http/listen.ts';
import { quietServe } from '../support/quiet.ts';
import { eventually } from '../support/until.ts';

/** What JavaScript passes where TypeScript would refuse it. */
function untyped<T>(value: unknown): T {
  return value as T;
}

test('a path in place of the options of run() is named as a whole', async () => {
  await using serve = quietServe();
  await expect(serve.run(basic.bind(), untyped<RunOptions>('/basic'))).rejects.toMatchObject({
    code: 'SERVE_INVALID_OPTION',
    message: expect.stringMatching(/^run: got "\/basic"; allowed: an object with name, routePrefix, /),
  });
});

test('an app in the place of the options of middleware() is told to come first', async () => {
  await using serve = quietServe();
  const app = basic.bind();
  expect(() => serve.middleware('/basic', untyped<MiddlewareOptions>(app))).toThrow(
    'middleware(app, options): got an object of class BoundDeployment; allowed: options; the app is the first argument',
  );
  expect(serve.status().apps).toEqual({});
});

test('an event that does not exist is refused, naming those that do', async () => {
  await using serve = quietServe();
  expect(() => serve.on(untyped<'fault'>('error'), () => {})).toThrow(
    'on(event): got "error"; allowed: "replica", "deployment", "scaling", "leader", "peer", "fault"',
  );
  expect(() => serve.on('fault', untyped<() => void>(undefined))).toThrow('on(listener): got undefined');
});

test('map() over something that has no items is refused when it is called', async () => {
  await using serve = quietServe();
  const handle = await serve.run(methods.bind());
  for (const items of [5, 'text', undefined, { length: 1 }]) {
    expect(() => handle.own.map(untyped<never>(items))).toThrow('map(items): got');
  }
});

test('a response that is written as JSON before it is awaited says so', async () => {
  await using serve = quietServe();
  const handle = await serve.run(basic.bind());
  const response = handle.echo.remote(1);
  expect(() => JSON.stringify({ answer: response })).toThrow(
    'Basic.echo: the response of a call cannot be written as JSON: await it first',
  );
  expect(JSON.stringify({ answer: await response })).toBe('{"answer":1}');
});

test('a class that is run without deployment() and bind() is refused', async () => {
  await using serve = quietServe();
  await expect(serve.run(untyped<BoundDeployment<unknown>>(class Model {}))).rejects.toThrow(
    'run(app): got function Model; allowed: a bound deployment',
  );
});

test('a method that throws undefined leaves a log record that says so', async () => {
  await using serve = quietServe();
  await using host = await listen(serve.middleware(probe.bind()));
  expect(await send(host.port, '/fail/undefined')).toMatchObject({ status: 500 });
  expect(serve.log.records).toContainEqual({
    level: 'error',
    message: 'request failed',
    fields: expect.objectContaining({ err: 'undefined was thrown' }),
  });
});

test('a create() that returns nothing is warned of, since its instance is lost', async () => {
  await using serve = quietServe();
  const handle = await serve.run(forgetful.bind());
  expect(await handle.hasWeights.remote()).toBe(false);
  const warnings = (): unknown[] => serve.log.records.filter(({ level }) => level === 'warn');
  await eventually(() => warnings().length > 0);
  expect(warnings()).toMatchObject([
    {
      message:
        'static create() of Forgetful returned undefined, so new Forgetful() was called: return the instance',
      fields: { deployment: 'Forgetful' },
    },
  ]);
});
