import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type BoundDag, DAGDriver, dag, InputNode } from '../../../src/index.ts';
import { caller, chain, rewritten, STEP, type StepArgs, step } from '../../fixtures/graphs/graph-updates.ts';
import { listen } from '../../support/http/listen.ts';
import { quietServe } from '../../support/quiet.ts';
import { Shared } from '../../support/shared.ts';
import { steadyLoad } from '../../support/steady-load.ts';
import { event, eventually, status } from '../../support/until.ts';

const APP = { name: 'graph' };

/** An update of a graph changes its plan and the deployments that the plan calls; requests see one or the other. */
describe('a graph is deployed again', () => {
  let shared: Shared;
  let serve: ReturnType<typeof quietServe>;

  beforeEach(() => {
    shared = new Shared();
    serve = quietServe();
  });
  afterEach(() => serve.close());

  const node = (name: string, args: Partial<StepArgs> = {}) =>
    step.options({ name, restart: { maxDelayMs: 0 } }).bind({ label: name, ...args }, shared.buffer);
  /** One node after the other. */
  const pipeline = (...nodes: ReturnType<typeof node>[]): BoundDag<string, string> =>
    dag((input: InputNode<string>) => {
      const [first, ...others] = nodes as [ReturnType<typeof node>, ...ReturnType<typeof node>[]];
      return others.reduce((way, next) => next.go.bind(way), first.go.bind(input));
    });
  const deployments = (): string[] => Object.keys(serve.status().apps['graph']?.deployments ?? {}).sort();

  test('nodes are added, renamed and removed under load: no request fails, none mixes the plans', async () => {
    const first = () => node('first', { takes: 15 });
    const handle = await serve.run(pipeline(first(), node('slow', { takes: 5 })), APP);
    const outcomes = await steadyLoad(
      8,
      () => handle.predict.remote('x'),
      async () => {
        await serve.run(pipeline(first(), node('renamed', { takes: 5 })), APP);
        expect(deployments()).toEqual(['DAGDriver', 'first', 'renamed']);
        await serve.run(pipeline(first(), node('renamed', { takes: 5 }), node('added')), APP);
        await serve.run(pipeline(first()), APP);
        expect(deployments()).toEqual(['DAGDriver', 'first']);
      },
    );
    expect(outcomes.errors).toEqual([]);
    const plans = ['x first slow', 'x first renamed', 'x first renamed added', 'x first'];
    expect([...outcomes.labels.keys()].filter((label) => !plans.includes(label))).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(expect.arrayContaining(['x first slow', 'x first renamed']));
    expect(await handle.predict.remote('x')).toBe('x first');
  });

  test('a request ends in the plan that it began with; what the new one lacks stays till then', async () => {
    const gate = () => node('gate', { isGated: true });
    const handle = await serve.run(pipeline(gate(), node('last')), APP);
    const old = handle.predict.remote('gated');
    await shared.atLeast(STEP.started, 1);
    const updated = serve.run(pipeline(gate()), APP);
    // The new plan serves, and the update is not over.
    while ((await handle.predict.remote('x')) !== 'x gate');
    expect(deployments()).toContain('last');
    shared.set(STEP.gate, 1);
    expect(await old).toBe('gated gate last');
    await updated;
    expect(deployments()).toEqual(['DAGDriver', 'gate']);
  });

  test('a node whose method has another name: each plan finds the replicas that have its own', async () => {
    const gate = () => node('gate', { isGated: true });
    const before = pipeline(gate(), node('last', { takes: 2 }));
    const after = dag((input: InputNode<string>) =>
      rewritten
        .options({ name: 'last', rollout: { observeMs: 0 } })
        .bind('rewritten')
        .run.bind(gate().go.bind(input)),
    );
    const handle = await serve.run(before, APP);
    const old = handle.predict.remote('gated');
    await shared.atLeast(STEP.started, 1);
    let updated: Promise<unknown> = Promise.resolve();
    const outcomes = await steadyLoad(
      4,
      () => handle.predict.remote('x'),
      async (sofar) => {
        updated = serve.run(after, APP);
        await eventually(() => sofar.of('x gate rewritten') > 20);
        // An old replica waits for the request that may need it.
        expect(serve.status().apps['graph']?.deployments['last']?.replicaStates).toEqual({ RUNNING: 2 });
        shared.set(STEP.gate, 1);
        await updated;
      },
    );
    expect(await old).toBe('gated gate last');
    expect(outcomes.errors).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(['x gate last', 'x gate rewritten']);
    expect(serve.status().apps['graph']?.deployments['last']?.replicaStates['RUNNING']).toBe(1);
  });

  test('the new plan waits for its deployments, the old one serves meanwhile', async () => {
    const handle = await serve.run(pipeline(node('first')), APP);
    const updated = serve.run(pipeline(node('first'), node('late', { start: 'blocks' })), APP);
    await shared.atLeast(STEP.constructed, 2);
    expect(await handle.predict.remote('x')).toBe('x first');
    shared.set(STEP.gate, 1);
    await updated;
    expect(await handle.predict.remote('x')).toBe('x first late');
  });

  test.each<[string, (failing: ReturnType<typeof node>) => BoundDag<string, string>]>([
    ['a node', (failing) => pipeline(node('first'), failing)],
    [
      'a node of another graph in it',
      (failing) => {
        const inner = DAGDriver.options({ name: 'Inner' });
        const graph = inner.bind<string, string>(failing.go.bind(new InputNode<string>()));
        return dag((input: InputNode<string>) => graph.predict.bind(node('first').go.bind(input)));
      },
    ],
  ])(
    '%s that does not start: the old plan serves on, and nothing of the new one is left',
    async (_what, app) => {
      const handle = await serve.run(pipeline(node('first'), node('second')), APP);
      const before = deployments();
      const outcomes = await steadyLoad(
        4,
        () => handle.predict.remote('x'),
        async () => {
          await expect(serve.run(app(node('broken', { start: 'throws' })), APP)).rejects.toMatchObject({
            code: 'SERVE_DEPLOY_FAILED',
            deployment: 'broken',
          });
          await status(serve, 'graph', 'DAGDriver', 'HEALTHY');
        },
      );
      expect(outcomes.errors).toEqual([]);
      expect([...outcomes.labels.keys()]).toEqual(['x first second']);
      await expect.poll(deployments).toEqual(before);
      expect(serve.status().apps['graph']?.deployments['DAGDriver']?.message).toContain('rolled back');
    },
  );

  test('a driver with another name takes over HTTP requests when it can serve, and not if it cannot', async () => {
    const named = (name: string, ...args: Parameters<typeof node>) =>
      DAGDriver.options({ name }).bind<string, string>(node(...args).go.bind('x'));
    await serve.run(named('One', 'first'), { ...APP, routePrefix: '/' });
    await using server = await listen(serve.middleware());
    const get = async (): Promise<string> => {
      const response = await fetch(`http://127.0.0.1:${server.port}/`);
      return response.ok ? response.text() : Promise.reject(new Error(`${response.status}`));
    };
    const outcomes = await steadyLoad(4, get, async () => {
      const failed = serve.run(named('Two', 'second', { start: 'throws' }), APP);
      await expect(failed).rejects.toMatchObject({ code: 'SERVE_DEPLOY_FAILED' });
      await serve.run(named('Three', 'third', { takes: 5 }), APP);
    });
    expect(outcomes.errors).toEqual([]);
    expect([...outcomes.labels.keys()]).toEqual(['x first', 'x third']);
    expect(await get()).toBe('x third');
    expect(deployments()).toEqual(['Three', 'third']);
  });

  test('a driver in the thread of another deployment ends its requests as well', async () => {
    const gate = () => node('gate', { isGated: true });
    const handle = await serve.run(caller.bind(pipeline(gate(), node('last'))), APP);
    const old = handle.remote('gated');
    await shared.atLeast(STEP.started, 1);
    const updated = serve.run(caller.bind(pipeline(gate())), APP);
    while ((await handle.remote('x')) !== 'x gate');
    expect(deployments()).toContain('last');
    shared.set(STEP.gate, 1);
    expect(await old).toBe('gated gate last');
    await updated;
    expect(deployments()).toEqual(['Caller', 'DAGDriver', 'gate']);
  });

  test('so does a replica that holds handles', async () => {
    const gate = () => node('gate', { isGated: true });
    const handle = await serve.run(chain.bind(gate(), node('last')), APP);
    const old = handle.remote('gated');
    await shared.atLeast(STEP.started, 1);
    const leaving = event(
      serve,
      'replica',
      (data) => data.deployment === 'Chain' && data.state === 'STOPPING',
    );
    const updated = serve.run(chain.bind(gate()), APP);
    await leaving;
    await new Promise((resolve) => setImmediate(resolve));
    expect(serve.status().apps['graph']?.deployments['last']?.replicaStates).toEqual({ RUNNING: 1 });
    expect(await handle.remote('x')).toBe('x gate');
    shared.set(STEP.gate, 1);
    expect(await old).toBe('gated gate last');
    await updated;
    expect(deployments()).toEqual(['Chain', 'gate']);
  });

  test('a node that is on its way out comes back with the next update', async () => {
    const both = () => pipeline(node('first'), node('last', { isSlowToLeave: true }));
    await serve.run(both(), APP);
    const without = serve.run(pipeline(node('first')), APP);
    await shared.atLeast(STEP.disposing, 1);
    const handle = await Promise.all([serve.run(both(), APP), shared.set(STEP.disposeGate, 1)]);
    expect(await handle[0].predict.remote('x')).toBe('x first last');
    await without;
    expect(deployments()).toEqual(['DAGDriver', 'first', 'last']);
  });

  test('an app that is deleted meanwhile ends the requests of both plans', async () => {
    const gate = () => node('gate', { isGated: true });
    const handle = await serve.run(pipeline(gate(), node('last')), APP);
    const old = handle.predict.remote('gated');
    await shared.atLeast(STEP.started, 1);
    const updated = serve.run(pipeline(gate(), node('other')), APP);
    while ((await handle.predict.remote('x')) !== 'x gate other');
    const deleted = serve.delete('graph');
    shared.set(STEP.gate, 1);
    expect(await old).toBe('gated gate last');
    await Promise.all([deleted, updated]);
    expect(serve.status().apps['graph']).toBeUndefined();
  });
});
