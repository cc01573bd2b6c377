import { expect, test } from 'vitest';
import { NO_ACTIONS } from '../../../test/support/fleet/ordered-actions.ts';
import { Records } from '../../../test/support/quiet.ts';
import { Events } from '../../observe/events.ts';
import { FleetOrdering } from './fleet-ordering.ts';
import { OrderFollower } from './fleet-orders.ts';

const ORDER = { apps: ['clock'], configs: {}, deleted: [], percent: undefined, isSameApps: true };

test('an instance that starts without Redis says that its config holds there only', async () => {
  const log = new Records();
  const membership = {
    view: undefined,
    command: async () => {},
    scalingOf: () => undefined,
    sees: async () => false,
    reached: async () => false,
  };
  const follower = new OrderFollower(NO_ACTIONS, new Events(() => {}), log);
  const ordering = new FleetOrdering(membership, follower, log);
  expect(await ordering.configure(ORDER, true)).toBe(false);
  expect(log.records.map(({ level, message }) => [level, message])).toEqual([
    ['warn', 'the config applies to this instance only: the store of the fleet is not reachable'],
  ]);
  await expect(ordering.configure(ORDER, false)).rejects.toMatchObject({ code: 'SERVE_UNAVAILABLE' });
});
