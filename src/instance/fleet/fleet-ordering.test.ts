import { expect, test } from 'vitest';
import { NO_ACTIONS } from '../../../test/support/fleet/ordered-actions.ts';
import { Records } from '../../../test/support/quiet.ts';
import type { FleetView } from '../../cluster/member/fleet-view.ts';
import { ServeError } from '../../errors.ts';
import { Events } from '../../observe/events.ts';
import { FleetOrdering } from './fleet-ordering.ts';
import { OrderFollower } from './fleet-orders.ts';

const ORDER = { apps: ['clock'], configs: {}, deleted: [], percent: undefined, isSameApps: true };

/** @param isJoined whether the instance knows its fleet; it then asks the fleet thread, whose Redis is full */
function orderingWithoutRedis(isJoined: boolean): { ordering: FleetOrdering; log: Records } {
  const log = new Records();
  const membership = {
    view: isJoined ? ({ isStoreUp: false, generation: 1 } as FleetView) : undefined,
    command: () => Promise.reject(new ServeError('SERVE_UNAVAILABLE', 'the store answered: out-of-memory')),
    scalingOf: () => undefined,
    sees: async () => false,
    reached: async () => false,
  };
  const follower = new OrderFollower(NO_ACTIONS, new Events(() => {}), log);
  return { ordering: new FleetOrdering(membership, follower, log), log };
}

test.each([
  ['without Redis', false, 'the store of the fleet is not reachable'],
  ['while Redis refuses writes', true, 'the store answered: out-of-memory'],
])(
  'a config that is deployed %s applies to the instance only, and says why',
  async (_when, isJoined, why) => {
    const { ordering, log } = orderingWithoutRedis(isJoined);
    expect(await ordering.configure(ORDER, true)).toBe(false);
    expect(log.records.map(({ level, message }) => [level, message])).toEqual([
      ['warn', `the config applies to this instance only: ${why}`],
    ]);
    await expect(ordering.configure(ORDER, false)).rejects.toMatchObject({
      code: 'SERVE_UNAVAILABLE',
      message: why,
    });
  },
);
