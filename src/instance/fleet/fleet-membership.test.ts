import { afterEach, expect, test } from 'vitest';
import { NO_ACTIONS } from '../../../test/support/fleet/ordered-actions.ts';
import { silent } from '../../../test/support/silent.ts';
import type { FromMember } from '../../cluster/fleet-control.ts';
import type { FleetView } from '../../cluster/member/fleet-view.ts';
import { EndpointRegistry } from '../../handle/routing/endpoint-registry.ts';
import { Events } from '../../observe/events.ts';
import { EMPTY_SNAPSHOT } from '../../store/snapshot.ts';
import { FleetMembership } from './fleet-membership.ts';
import { OrderFollower } from './fleet-orders.ts';
import { FleetTargets } from './fleet-targets.ts';

const APPLY = { type: 'apply', targets: {}, undecided: [] } as const;
const VIEW: FleetView = {
  address: 'a:7411',
  state: 'JOINING',
  codeVersion: '1',
  protocol: 1,
  generation: 0,
  plan: 0,
  totals: {},
  leader: undefined,
  token: 0,
  isLeading: false,
  isStoreUp: false,
  refusedPlans: 0,
  desiredInstances: undefined,
  decisions: {},
  areOrdersKnown: false,
  deleted: {},
  ended: [],
  orders: { configs: {}, verdicts: {}, rollbacks: {}, draining: [] },
  trials: {},
  peers: [],
};

const opened: FleetMembership[] = [];
afterEach(() => {
  for (const membership of opened.splice(0)) membership.close();
});

/** A membership whose fleet thread says what the test makes it say. */
function membership(): {
  /** The answer of `reached()`; undefined while it is open. */
  asked(): Promise<boolean | undefined>;
  say(message: FromMember): void;
} {
  const events = new Events(() => {});
  let say: (message: FromMember) => void = () => {};
  const made = new FleetMembership({
    instanceId: 'a',
    codeVersion: '1',
    registry: new EndpointRegistry(),
    events,
    log: silent,
    targets: new FleetTargets(),
    thread: {
      post: () => {},
      onMember: ({ received }) => {
        say = received;
      },
    },
    silentMs: 60_000,
    apps: () => [],
    snapshot: () => EMPTY_SNAPSHOT,
    lagMs: () => 0,
    targetsChanged: () => {},
    orders: new OrderFollower(NO_ACTIONS, events, silent),
  });
  opened.push(made);
  let answer: boolean | undefined;
  void made.reached().then((isReached) => {
    answer = isReached;
  });
  const asked = async (): Promise<boolean | undefined> => {
    await new Promise(setImmediate);
    return answer;
  };
  return { asked, say: (message) => say(message) };
}

test('a call that waits for a replica says nothing about Redis, nor does a plan before its view', async () => {
  const { asked, say } = membership();
  say({ type: 'view', view: VIEW });
  for (const cause of ['boot', 'demand', 'plan'] as const) say({ ...APPLY, cause });
  expect(await asked()).toBeUndefined();
  say({ type: 'view', view: { ...VIEW, plan: 1, isStoreUp: true, areOrdersKnown: true } });
  expect(await asked()).toBe(true);
});

test('Redis has not said all with its first answer, which comes before the orders', async () => {
  const { asked, say } = membership();
  say({ type: 'view', view: { ...VIEW, isStoreUp: true } });
  expect(await asked()).toBeUndefined();
  say({ type: 'view', view: { ...VIEW, isStoreUp: true, areOrdersKnown: true } });
  expect(await asked()).toBe(true);
});

test('a plan that came over a link shows that Redis is away', async () => {
  const { asked, say } = membership();
  say({ ...APPLY, cause: 'plan' });
  say({ type: 'view', view: { ...VIEW, plan: 1 } });
  expect(await asked()).toBe(false);
});

test('an instance that decides alone does not wait for Redis, also while a call waits for a replica', async () => {
  const one = membership();
  one.say({ ...APPLY, cause: 'alone' });
  expect(await one.asked()).toBe(false);
  const other = membership();
  other.say({ ...APPLY, cause: 'demand' });
  // The plan of an instance for itself has the number -1.
  other.say({ type: 'view', view: { ...VIEW, plan: -1 } });
  expect(await other.asked()).toBe(false);
});
