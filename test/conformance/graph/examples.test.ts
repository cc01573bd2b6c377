import { describe, expect, test } from 'vitest';
import { DAGDriver, dag, type GraphNode, InputNode, jsonRequest } from '../../../src/index.ts';
import {
  average,
  chooser,
  combine,
  combiner,
  type Model,
  model,
  outer,
  preprocess,
  sum,
} from '../../fixtures/graphs/graph.ts';
import { json, send } from '../../support/http/client.ts';
import { listen } from '../../support/http/listen.ts';
import { postJson } from '../../support/http/post-json.ts';
import { quietServe } from '../../support/quiet.ts';
import { status } from '../../support/until.ts';

/** Ray Serve's deployment graph examples, under their names. */
describe("Ray's deployment graph examples", () => {
  test('linear_pipeline', async () => {
    await using serve = quietServe();
    const input = new InputNode<number>();
    const first = model.bind(0).forward.bind(input);
    const second = model.bind(100).forward.bind(first);
    const handle = await serve.run(DAGDriver.bind(second));
    expect(await handle.predict.remote(0)).toBe(100);
    expect(Object.keys(serve.status().apps['DAGDriver']?.deployments ?? {})).toEqual([
      'Model',
      'Model_1',
      'DAGDriver',
    ]);
  });

  test('branching_input', async () => {
    await using serve = quietServe();
    const app = dag((input: InputNode<number>) => {
      const outputs = [model.bind(0), model.bind(1)].map((one) => one.forward.bind(input));
      return sum.bind(outputs);
    });
    const handle = await serve.run(app);
    expect(await handle.predict.remote(1)).toBe(3);
  });

  test('conditional', async () => {
    await using serve = quietServe();
    const app = dag((input: InputNode<[number, 'sum' | 'max']>) =>
      combiner
        .bind()
        .combine.bind([model.bind(0).forward.bind(input[0]), model.bind(1).forward.bind(input[0])], input[1]),
    );
    const handle = await serve.run(app);
    expect(await handle.predict.remote(1, 'max')).toBe(2);
    expect(await handle.predict.remote([1, 'sum'])).toBe(3);
  });

  test('conditional: which model runs is decided in a deployment that has handles', async () => {
    await using serve = quietServe();
    const app = dag((input: InputNode<{ value: number }>) =>
      chooser.bind(model.bind(1), model.bind(1_000)).choose.bind(input.value),
    );
    const handle = await serve.run(app);
    expect(await handle.predict.remote({ value: 9 })).toBe(10);
    expect(await handle.predict.remote({ value: 10 })).toBe(1_010);
  });

  test('same_class_different_args', async () => {
    await using serve = quietServe();
    const app = dag((input: InputNode<number>) =>
      combiner.bind().combine.bind([model.bind(1).call.bind(input), model.bind(5).call.bind(input)], 'max'),
    );
    const handle = await serve.run(app, { name: 'same' });
    expect(await handle.predict.remote(10)).toBe(15);
    expect(await serve.handle<typeof Model>('Model', { app: 'same' }).broadcast('call', 1)).toEqual([2]);
    expect(await serve.handle<typeof Model>('Model_1', { app: 'same' }).broadcast('call', 1)).toEqual([6]);
  });

  test('e2e_tutorial', async () => {
    await using serve = quietServe();
    const input = new InputNode<[string, number[], 'sum' | 'max']>();
    const first = preprocess.bind(input[0]);
    const second = average.bind(input[1]);
    const outputs = [model.bind(0).forward.bind(first), model.bind(1).forward.bind(second)];
    const replicated = combiner.options({ numReplicas: 2 });
    const graph = DAGDriver.bind(replicated.bind().combine.bind(outputs, input[2]));
    await serve.run(graph, { name: 'tutorial', routePrefix: '/my-dag' });
    await using server = await listen(serve.middleware());
    const ask = async (operation: string) =>
      json(await postJson(server.port, '/my-dag', ['5', [1, 3], operation]));
    expect(await ask('sum')).toBe(8);
    expect(await ask('max')).toBe(5);
    await status(serve, 'tutorial', 'Combiner', 'HEALTHY');
    expect(serve.status().apps['tutorial']?.deployments['Combiner']?.replicaStates).toEqual({ RUNNING: 2 });
  });

  test('dag_http', async () => {
    await using serve = quietServe();
    const input = new InputNode<number>();
    const graph = DAGDriver.bind<number>(model.bind(2).forward.bind(input), {
      httpAdapter: async (request) => {
        if (request.method === 'GET') return Number(new URL(request.url).searchParams.get('value'));
        return Number(await jsonRequest(request));
      },
    });
    await using server = await listen(serve.middleware(graph));
    expect(json(await postJson(server.port, '/', 1))).toBe(3);
    expect(json(await send(server.port, '/?value=40'))).toBe(42);
  });

  test('combine: two fields and a constant are 4', async () => {
    await using serve = quietServe();
    const input = new InputNode<[number, number]>();
    const handle = await serve.run(
      DAGDriver.bind<[number, number]>(combine.bind(input[0], input[1], { output: 1 })),
    );
    expect(await handle.predict.remote([1, 2])).toBe(4);
    expect(await handle.predict.remote(1, 2)).toBe(4);
  });

  test('chain: 2 + 2·2 + (2·2)·3 is 18', async () => {
    await using serve = quietServe();
    const app = dag((input: InputNode<number>) => {
      const doubled = model.bind(2).scaled.bind(input);
      const tripled = model.bind(3).scaled.bind(doubled);
      return combine.bind(input, doubled, { output: tripled });
    });
    const handle = await serve.run(app);
    expect(await handle.predict.remote(2)).toBe(18);
  });

  test('class with several arguments: weight 2, ratio 0.3, input 1 is 0.6', async () => {
    await using serve = quietServe();
    const handle = await serve.run(dag((input: InputNode<number>) => model.bind(2, 0.3).scaled.bind(input)));
    expect(await handle.predict.remote(1)).toBe(0.6);
  });

  test('arithmetic: 5 + 2 − 1 + 3 is 9', async () => {
    await using serve = quietServe();
    const app = dag((input: InputNode<number>) =>
      [2, -1, 3].reduce<GraphNode<number>>(
        (node, increment) => model.bind(increment).forward.bind(node),
        input,
      ),
    );
    const handle = await serve.run(app);
    expect(await handle.predict.remote(5)).toBe(9);
  });

  test('a graph bound into another deployment runs in the thread of its replica', async () => {
    await using serve = quietServe();
    const graph = dag((input: InputNode<number>) => model.bind(2).forward.bind(sum.bind([input, 1])));
    const handle = await serve.run(outer.bind(graph));
    expect(await handle.remote(1)).toBe(4);
  });
});
