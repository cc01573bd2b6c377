import { describe, expect, test } from 'vitest';
import { deployment, InputNode, type ServeError } from '../../src/index.ts';
import { basic } from '../fixtures/calls/basic.ts';
import { sum } from '../fixtures/graphs/graph.ts';
import { worker } from '../fixtures/load/overload.ts';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';

test('callers that share a run with a key get an error each', async () => {
  await using serve = quietServe();
  const handle = await serve.run(worker.bind(new Shared().buffer), { routePrefix: null });
  const keyed = handle.options({ idempotencyKey: 'k' });
  const failures = await Promise.allSettled([keyed.fail.remote(), keyed.fail.remote(), keyed.fail.remote()]);
  const errors = failures.map((failure) => (failure as PromiseRejectedResult).reason as Error);
  expect(new Set(errors).size).toBe(3);
  for (const error of errors) {
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'failure 1', stack: errors[0]?.stack });
    expect(error).not.toHaveProperty('status');
    Object.assign(error, { status: 500 });
  }
});

test('a replica that dies names the request of each of its calls', async () => {
  await using serve = quietServe();
  const handle = await serve.run(basic.bind(), { routePrefix: null });
  const calls = [
    handle.echoLater.remote(1, 60_000),
    handle.echoLater.remote(2, 60_000),
    handle.exit.remote(3),
  ];
  const outcomes = await Promise.allSettled(calls);
  for (const [index, call] of calls.entries())
    expect(outcomes[index]).toMatchObject({
      reason: { code: 'SERVE_REPLICA_DIED', requestId: call.requestId, deployment: 'Basic' },
    });
  const replicas = outcomes.map(
    (outcome) => ((outcome as PromiseRejectedResult).reason as ServeError).replica,
  );
  expect(new Set(replicas).size).toBe(1);
});

test('a node of a graph in the place of an app says what runs it', async () => {
  await using serve = quietServe();
  const node = sum.bind([new InputNode<number>()]);
  await expect(serve.run(node as never)).rejects.toThrow(/DAGDriver\.bind\(node\), or dag\(/);
});

describe('a user config that nothing takes is refused where it is given', () => {
  const userConfig = { threshold: 1 };

  test('to a class, to a function, later and in a config', async () => {
    class Plain {}
    expect(() => deployment(Plain, { userConfig })).toThrow('a method reconfigure(userConfig)');
    expect(() => basic.options({ userConfig })).toThrow('which Basic does not have');
    expect(() => deployment(function plain() {}, { userConfig })).toThrow('only a class has');
    await using serve = quietServe();
    const config = {
      name: 'app',
      import: `${new URL('../fixtures/updates/configured.ts', import.meta.url)}:both`,
      deployments: [{ name: 'Tower', userConfig }],
    };
    await expect(serve.deploy({ apps: [config] })).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    expect(serve.status().apps).toEqual({});
  });

  test('but to no class that has the hook, wherever it has it from', () => {
    class Base {
      reconfigure(): void {}
    }
    class Derived extends Base {}
    class Field {
      reconfigure = (): void => {};
    }
    class DerivedField extends Field {}
    for (const target of [Base, Derived, Field, DerivedField])
      expect(() => deployment(target, { userConfig })).not.toThrow();
  });
});
