import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { DAGDriver, dag, InputNode } from '../../../src/index.ts';
import { combine, frames, model, probe, sum } from '../../fixtures/graphs/graph.ts';
import { quietServe } from '../../support/quiet.ts';

const input = new InputNode<{ a: number; list: number[] }>();
const bound = model.bind(1);

/** What cannot be checked by types, or is done in JavaScript. */
const untyped = (value: unknown): never => value as never;

function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toMatchObject({ code: 'SERVE_INVALID_OPTION' });
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('a graph that cannot be is refused when it is made', () => {
  test.each<[string, () => unknown, RegExp]>([
    ['no graph', () => DAGDriver.bind(untyped(5)), /DAGDriver\.bind\(graph\): got 5; allowed: a node/],
    ['no routes', () => DAGDriver.bind({}), /allowed: a node, or an object of nodes by route/],
    ['a deployment', () => DAGDriver.bind(untyped(bound)), /call a method of the deployment/],
    ['a deployment as a route', () => DAGDriver.bind({ '/a': untyped(bound) }), /\['\/a'\].*allowed: a node/],
    ['a route without a slash', () => DAGDriver.bind(untyped({ a: bound.call.bind(1) })), /starts with '\/'/],
    [
      'a route with a slash at its end',
      () => DAGDriver.bind({ '/a/': bound.call.bind(1) }),
      /none at its end/,
    ],
    [
      'an unknown option',
      () => DAGDriver.bind(bound.call.bind(1), untyped({ adapter: 1 })),
      /DAGDriver\.bind\.adapter.*no such option \(did you mean httpAdapter\?\); there are httpAdapter/,
    ],
    [
      'an adapter that is none',
      () => DAGDriver.bind(bound.call.bind(1), { httpAdapter: untyped(5) }),
      /httpAdapter: got 5; allowed: a function of the request, or a schema/,
    ],
    ['an option that a driver has not', () => DAGDriver.options(untyped({ numReplicas: 2 })), /numReplicas/],
    ['dag() without a function', () => dag(untyped(bound)), /dag\(declare\).*allowed: a function/],
    [
      'two inputs in one graph',
      () => DAGDriver.bind(sum.bind([new InputNode<number>(), new InputNode<number>()])),
      /two different InputNodes/,
    ],
    [
      'a node in a Map',
      () => DAGDriver.bind(probe.bind(untyped(undefined)).count.bind(untyped(new Map([['a', input]])))),
      /Probe\.count\.bind\(arg 0\).*not in a Map or a Set/,
    ],
    [
      'a container of nodes that contains itself',
      () => {
        const cyclic: unknown[] = [input];
        cyclic.push(cyclic);
        DAGDriver.bind(sum.bind(untyped(cyclic)));
      },
      /does not contain itself/,
    ],
    ['a method of a function', () => Reflect.get(sum.bind(), 'run').bind(1), /the only method of a function/],
    ['an input with arguments', () => Reflect.construct(InputNode, [5]), /allowed: no arguments/],
    [
      'an input as an argument of a constructor',
      () => model.bind(untyped(input.a)),
      /has a value only while a graph runs/,
    ],
    [
      'a node as an argument of a constructor',
      () => model.bind(untyped(bound.call.bind(1))),
      /has a value only while/,
    ],
  ])('%s', (_what, make, message) => {
    expect(refusal(make)).toMatch(message);
  });

  test('a value that cannot cross threads names its place', () => {
    expect(() => bound.forward.bind(untyped({ deep: [() => {}] }))).toThrow(
      'Model.forward.bind(arg 0).deep[0] cannot cross a thread: it is a function',
    );
  });

  test('nodes and placeholders are no values', async () => {
    await using serve = quietServe();
    const handle = serve.handle(frames.options({ isolation: 'thread' }).bind());
    await expect(handle.make.remote(untyped(input.a))).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('the InputNode input.a has a value only while a graph runs'),
    });
    expect(() => `${String(bound.call.bind(1))}`).toThrow(/no value itself/);
  });

  test.each<[string, (any: Record<string, unknown>) => unknown]>([
    ['map', (any) => any['map']],
    ['length-changing methods', (any) => any['push']],
    ['then', (any) => any['then']],
    ['iteration', (any) => [...(any as unknown as Iterable<unknown>)]],
    ['text', (any) => `${any as unknown as string}`],
    ['JSON', (any) => JSON.stringify(any)],
  ])('an InputNode refuses %s', (_what, use) => {
    expect(refusal(() => use(untyped(input.list)))).toMatch(/input\.list is a placeholder for the input/);
  });

  test('await on an InputNode fails instead of hanging', async () => {
    await expect((async () => input.list)()).rejects.toMatchObject({ code: 'SERVE_INVALID_OPTION' });
  });

  test('they show what they are', () => {
    expect(inspect(input.list[0])).toBe('input.list[0]');
    expect(inspect(combine.bind(input.a, 1, { output: 1 }))).toBe('GraphNode(combine)');
    expect(inspect(bound)).toBe('BoundDeployment(Model)');
  });

  test('bound deployments and nodes have no other members', () => {
    for (const value of [bound, bound.call.bind(1)]) {
      for (const name of ['then', 'bind', 'remote', 'options', 'toJSON', '_secret', 'fetch', 'reconfigure']) {
        expect(Reflect.get(value, name), name).toBeUndefined();
      }
    }
  });
});
