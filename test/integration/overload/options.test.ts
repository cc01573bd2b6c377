import { describe, expect, test } from 'vitest';
import { createServe, type ServeOptions } from '../../../src/index.ts';
import { worker } from '../../fixtures/overload.ts';

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
});
