import { describe, expect, test } from 'vitest';
import { createServe, deployment, type ServeOptions } from '../../../src/index.ts';
import { worker } from '../../fixtures/load/overload.ts';
import { quietServe } from '../../support/quiet.ts';
import { status } from '../../support/until.ts';

const HEDGED = './test/fixtures/updates/configured.ts:hedged';

function refusal(attempt: () => unknown): unknown {
  try {
    attempt();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe('options of overload are checked when they are given', () => {
  test.each<[string, object]>([
    ['createServe.tenants.default.weight', { tenants: { default: { weight: 0 } } }],
    ['createServe.tenants.byName.gold.maxInFlight', { tenants: { byName: { gold: { maxInFlight: 0 } } } }],
    ['createServe.tenants.byname', { tenants: { byname: {} } }],
    ['createServe.hostGuard.shedAllMs', { hostGuard: { shedAllMs: '500' } }],
    ['createServe.growthWatch.fromShare', { growthWatch: { fromShare: 70 } }],
  ])('%s', (option, options) => {
    expect(refusal(() => createServe(options as ServeOptions))).toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining(`${option}: got`),
    });
  });

  test.each<[string, object]>([
    ['deployment.hedge', { hedge: {} }],
    ['deployment.hedge', { hedge: { afterMs: 50 }, idempotent: false }],
    ['deployment.hedge', { hedge: {}, idempotent: [] }],
    ['deployment.hedge', { hedge: {}, idempotent: true, isolation: 'inline' }],
    ['deployment.idempotent[1]', { idempotent: ['where', 'websocket'] }],
    ['deployment.idempotent[0]', { idempotent: ['checkHealth'] }],
    ['deployment.idempotent[0]', { idempotent: ['_hidden'] }],
    ['deployment.hedge.afterMs', { hedge: { afterMs: 'p99' } }],
    ['deployment.hedge.maxExtraRatio', { hedge: { maxExtraRatio: 2 } }],
    ['deployment.idempotent', { idempotent: 'all' }],
    ['deployment.priority', { priority: 'high' }],
  ])('%s', (option, options) => {
    expect(refusal(() => worker.options(options))).toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining(`${option}: got`),
    });
  });

  test('a function has one method, and `fetch` stands for HTTP', () => {
    const square = deployment((n: number) => n * n, { name: 'square' });
    expect(square.options({ idempotent: ['call'], hedge: {} }).name).toBe('square');
    expect(worker.options({ idempotent: ['fetch'] }).name).toBe('Worker');
    expect(refusal(() => square.options({ idempotent: ['where'] }))).toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: 'deployment.idempotent[0]: got "where"; allowed: \'call\': the deployment is a function',
    });
  });

  test('a config may set hedge alone where the code says what is idempotent, and else is refused', async () => {
    await using serve = quietServe();
    const config = (name: string) => ({
      apps: [{ name: 'app', import: HEDGED, deployments: [{ name, hedge: { afterMs: 50 } }] }],
    });
    await serve.deploy(config('Safe'));
    await expect(serve.deploy(config('Unsafe'))).rejects.toMatchObject({
      code: 'SERVE_INVALID_OPTION',
      message: expect.stringContaining('config.apps[0].deployments[0].hedge: got'),
    });
  });

  test('a method that no replica has is warned of, once', async () => {
    await using serve = quietServe();
    const bound = (idempotent: string[]) =>
      worker.options({ idempotent, numReplicas: 2 }).bind(new SharedArrayBuffer(64));
    await serve.run(bound(['where', 'wehre', 'call']));
    await status(serve, 'Worker', 'Worker', 'HEALTHY');
    const warnings = () => serve.log.records.filter(({ level }) => level === 'warn');
    expect(warnings()).toMatchObject([
      {
        fields: { app: 'Worker', deployment: 'Worker' },
        message: expect.stringMatching(
          /^Worker\.idempotent: the deployment has no method 'wehre', so no such call .*; its methods are .*where/,
        ),
      },
    ]);
    // In place, without new replicas.
    await serve.run(bound(['where']));
    await serve.run(bound(['here']));
    expect(warnings()).toHaveLength(2);
  });

  test('hedging with one replica is warned of', async () => {
    await using serve = quietServe();
    const bound = (numReplicas: number) =>
      worker.options({ idempotent: true, hedge: {}, numReplicas }).bind(new SharedArrayBuffer(64));
    const warnings = () =>
      serve.log.records.filter(({ level }) => level === 'warn').map(({ message }) => message);
    await serve.run(bound(2));
    expect(warnings()).toEqual([]);
    await serve.run(bound(1));
    expect(warnings()).toEqual([
      'Worker.hedge: the deployment has no second replica: set numReplicas to 2 or more',
    ]);
  });
});
