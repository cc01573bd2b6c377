import { expect, test } from 'vitest';
import { silent } from '../../../test/support/silent.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import { Events } from '../../observe/events.ts';
import { type OrderedActions, OrderFollower, type OrdersView } from './fleet-orders.ts';

const KEY = routeKey('clock', 'Clock');
const CONFIGS = { [KEY]: { generation: 3, versionAt: 0, options: { userConfig: { tick: 1 } }, counts: {} } };
/** The first view of a fleet thread, before Redis can answer. */
const UNKNOWN: OrdersView = {
  areOrdersKnown: false,
  plan: 0,
  orders: { configs: {}, verdicts: {}, rollbacks: {}, draining: [] },
  deleted: {},
  trials: {},
};

function known(orders: Partial<OrdersView['orders']>): OrdersView {
  return { ...UNKNOWN, areOrdersKnown: true, plan: 1, orders: { ...UNKNOWN.orders, ...orders } };
}

/** A follower whose actions are noted. */
function followed(): {
  readonly follower: OrderFollower;
  readonly done: string[];
  trials(): OrdersView['trials'] | undefined;
} {
  const done: string[] = [];
  let shares: OrdersView['trials'] | undefined;
  const note = (what: string) => async (app: string) => {
    done.push(`${what} ${app}`);
  };
  const actions: OrderedActions = {
    apps: () => [['clock', ['Clock']]],
    readjust: async (app) => {
      done.push(`readjust ${app}`);
      follower.optionsOf(app, 'Clock', { name: 'Clock' });
    },
    trialOf: () => undefined,
    promote: note('promote'),
    closeTrial: note('closeTrial'),
    goBack: note('goBack'),
    deleteApp: note('delete'),
    followTrials: (trials) => {
      shares = trials;
    },
  };
  const follower: OrderFollower = new OrderFollower(actions, new Events(() => {}), silent);
  return { follower, done, trials: () => shares };
}

test('the options of the fleet stay when its thread starts anew and knows no orders yet', async () => {
  const { follower, done } = followed();
  follower.follow(known({ configs: CONFIGS }));
  await follower.done('config clock');
  follower.follow(UNKNOWN);
  await follower.done('config clock');
  expect(follower.optionsOf('clock', 'Clock', { name: 'Clock' }).userConfig).toEqual({ tick: 1 });
  follower.follow(known({ configs: CONFIGS }));
  await follower.done('config clock');
  expect(done).toEqual(['readjust clock']);
});

test('a rollback that was ordered before the start is not carried out, a later one is', async () => {
  const { follower, done } = followed();
  follower.follow(UNKNOWN);
  follower.follow(known({ rollbacks: { clock: 1 } }));
  await follower.done('rollback clock');
  expect(done).toEqual([]);
  follower.follow(known({ rollbacks: { clock: 2 } }));
  await follower.done('rollback clock');
  expect(done).toEqual(['goBack clock']);
});

test('calls are diverted to a trial of the fleet also while the fleet thread starts anew', () => {
  const { follower, trials } = followed();
  const split = { clock: { kind: 'canary', app: 'clock@canary', share: 0.5, seed: 1 } } as const;
  follower.follow({ ...known({}), trials: split });
  follower.follow(UNKNOWN);
  expect(trials()).toEqual(split);
  follower.follow(known({}));
  expect(trials()).toEqual({});
});
