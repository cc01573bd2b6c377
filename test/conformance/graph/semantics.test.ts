import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type BoundDag, DAGDriver, dag, type InputNode, type Serve } from '../../../src/index.ts';
import { combiner, frames, probe, SEEN, sum } from '../../fixtures/graphs/graph.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';

/** What a graph promises beyond its result. All tests upgrade one app, so that its threads are started once. */
describe('a request in a graph', () => {
  const shared = new Shared();
  const bound = probe.bind(shared.buffer);
  const frame = frames.bind();
  let serve: Serve;

  beforeAll(() => {
    serve = quietServe();
  });
  afterAll(() => serve.close());
  beforeEach(() => {
    for (const cell of Object.values(SEEN)) shared.set(cell, 0);
  });

  const run = <In, R>(app: BoundDag<In, R>) => serve.run(app, { name: 'graph' });

  test('71: a shared node runs once', async () => {
    const handle = await run(
      dag((input: InputNode<number>) => {
        const once = bound.counted.bind(input);
        return sum.bind([once, once, sum.bind([once])]);
      }),
    );
    expect(await handle.predict.remote(2)).toBe(6);
    expect(shared.get(SEEN.calls)).toBe(1);
  });

  test('71: fields, items and nested parts of the input', async () => {
    const handle = await run(
      dag((input: InputNode<{ list: [number, { deep: number }]; 'b c'?: number }>) =>
        bound.count.bind({ all: input, first: input.list[0], deep: input.list[1].deep, none: input['b c'] }),
      ),
    );
    const input: { list: [number, { deep: number }] } = { list: [1, { deep: 2 }] };
    expect(await handle.predict.remote(input)).toEqual({ all: input, first: 1, deep: 2, none: undefined });
  });

  test('a part of what is not there is refused before anything runs', async () => {
    const handle = await run(
      dag((input: InputNode<{ a: { b: number } }>) => bound.count.bind([bound.count.bind(1), input.a.b])),
    );
    // @ts-expect-error the wrong input
    const error = await handle.predict.remote({}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'SERVE_BAD_REQUEST',
      message: 'the graph needs input.a.b, and input.a is undefined',
    });
    expect(shared.get(SEEN.calls)).toBe(0);
    expect(await handle.predict.remote({ a: { b: 3 } })).toEqual([1, 3]);
  });

  test('parts are own properties: nothing is read from a prototype', async () => {
    const handle = await run(
      dag((input: InputNode<{ hasOwnProperty: number; length: number }>) =>
        bound.count.bind([input.hasOwnProperty, input.length]),
      ),
    );
    // @ts-expect-error the wrong input
    expect(await handle.predict.remote('text')).toEqual([undefined, 4]);
  });

  test('31944: only what the output needs is called', async () => {
    const handle = await run(
      dag((input: InputNode<number>) => {
        bound.fail.bind(input);
        return bound.count.bind(input);
      }),
    );
    expect(await handle.predict.remote(1)).toBe(1);
  });

  test('independent nodes run at the same time', async () => {
    const handle = await run(
      dag((input: InputNode<number>) => sum.bind([1, 2, 3].map(() => bound.meet.bind(input, 3)))),
    );
    expect(await handle.predict.remote(5)).toBe(15);
  });

  test('a failing node is the failure of the request, and cancels the rest', async () => {
    const handle = await run(
      dag((input: InputNode<number>) =>
        bound.count.bind([bound.wait.bind(input), bound.fail.bind(input), bound.count.bind(input)]),
      ),
    );
    const error = await handle.predict.remote(1).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ message: 'the node broke', code: 'E_NODE' });
    await shared.atLeast(SEEN.aborted, 1);
    // The node behind the three never ran, and the third of them only if it had begun by then.
    expect(shared.get(SEEN.calls)).toBeLessThanOrEqual(1);
  });

  test('a cancelled request cancels the nodes that run', async () => {
    const handle = await run(dag((input: InputNode<number>) => bound.count.bind(bound.wait.bind(input))));
    const response = handle.predict.remote(1);
    await shared.atLeast(SEEN.started, 1);
    response.cancel();
    await expect(response).rejects.toMatchObject({ code: 'SERVE_CANCELLED' });
    await shared.atLeast(SEEN.aborted, 1);
    expect(shared.get(SEEN.calls)).toBe(0);
  });

  test('its deadline is that of every node', async () => {
    const handle = await run(dag((input: InputNode<number>) => bound.wait.bind(bound.count.bind(input))));
    const error = await handle
      .options({ timeoutMs: 200 })
      .predict.remote(1)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'SERVE_TIMEOUT' });
    await shared.atLeast(SEEN.aborted, 1);
  });

  test('request id, deadline and tenant reach every node', async () => {
    const handle = await run(
      dag((input: InputNode<number>) => {
        const first = bound.who.bind(input);
        return bound.count.bind([first, bound.who.bind(first)]);
      }),
    );
    const response = handle.options({ tenant: 'acme', timeoutMs: 5_000 }).predict.remote(1);
    const [first, second] = (await response) as { requestId: string; deadline: number; tenant: string }[];
    expect(first).toMatchObject({ requestId: response.requestId, tenant: 'acme' });
    expect(second).toMatchObject({ requestId: response.requestId, tenant: 'acme' });
    expect(second?.deadline).toBeLessThan(Date.now() + 5_000);
  });

  test('what the last node yields is streamed', async () => {
    const handle = await run(dag((input: InputNode<number>) => bound.count3.bind(input)));
    const values: number[] = [];
    for await (const value of handle.predict.remote(4)) values.push(value);
    expect(values).toEqual([4, 5, 6]);
  });

  test('a graph is a node of another graph', async () => {
    const inner = DAGDriver.options({ name: 'inner' }).bind<number, number>(
      sum.bind([bound.counted.bind(1), 1]),
    );
    const handle = await run(dag((input: InputNode<number>) => sum.bind([inner.predict.bind(input), input])));
    expect(await handle.predict.remote(5)).toBe(7);
  });

  test('large values are moved, and used by several nodes they stay whole', async () => {
    const length = 65_536;
    const handle = await run(
      dag((input: InputNode<number>) => {
        const once = frame.make.bind(input);
        const twice = frame.make.bind(input);
        return bound.count.bind([
          frame.total.bind(once),
          frame.same.bind(twice, twice),
          frame.total.bind(twice),
          frame.check.bind(frame.both.bind(input)),
        ]);
      }),
    );
    const total = new Float32Array(length).map((_, index) => index).reduce((sum, value) => sum + value, 0);
    const [one, same, two, both] = (await handle.predict.remote(length)) as [
      number,
      boolean,
      number,
      unknown[],
    ];
    expect([one, same, two]).toEqual([total, true, total]);
    expect(both[0]).toBe(total);
    expect((both[1] as number) + (both[2] as number)).toBeCloseTo(total, -6);
    expect(both[3]).toBe('label');
  });

  test("the caller's own memory is not moved", async () => {
    const handle = await run(dag((input: InputNode<Float32Array>) => frame.total.bind(input)));
    const mine = new Float32Array(65_536).fill(1);
    expect(await handle.predict.remote(mine)).toBe(65_536);
    expect(mine.length).toBe(65_536);
  });

  test('the same graph again changes nothing, another one takes its place without a restart', async () => {
    const graph = (operation: 'sum' | 'max') =>
      dag((input: InputNode<number[]>) => combiner.bind().combine.bind(input, operation));
    const handle = await run(graph('sum'));
    const replicas = () =>
      serve.status().apps['graph']?.deployments['Combiner']?.replicas.map(({ id }) => id);
    const before = replicas();
    expect(await handle.predict.remote([1, 2])).toBe(3);
    await run(graph('max'));
    expect(await handle.predict.remote([1, 2])).toBe(2);
    expect(replicas()).toEqual(before);
    expect(Object.keys(serve.status().apps['graph']?.deployments ?? {}).sort()).toEqual([
      'Combiner',
      'DAGDriver',
    ]);
  });
});
