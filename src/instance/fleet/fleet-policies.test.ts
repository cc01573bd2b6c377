import { expect, test } from 'vitest';
import { Records } from '../../../test/support/quiet.ts';
import type { Consultation } from '../../cluster/node/events.ts';
import type { AutoscalingConfig } from '../../deployment/options/autoscaling-config.ts';
import { autoscalingOf } from '../../deployment/options/autoscaling-options.ts';
import type {
  AppAutoscalingPolicy,
  AutoscalingContext,
  AutoscalingPolicy,
} from '../../deployment/options/autoscaling-policy.ts';
import { routeKey } from '../../handle/routing/directory.ts';
import { Events } from '../../observe/events.ts';
import { FleetPolicies } from './fleet-policies.ts';

const KEY = routeKey('shop', 'Cart');
const CONFIG: AutoscalingConfig = configOf(1_000);

function configOf(lookBackPeriodMs: number): AutoscalingConfig {
  const config = autoscalingOf(undefined, { maxReplicas: 5, lookBackPeriodMs, panic: false });
  if (config === undefined) throw new Error('not autoscaled');
  return config;
}

function consultation(changes: Partial<Consultation> = {}, at = 0, running = 1, queued = 0): Consultation {
  const bounds = { min: 0, max: 5 };
  const load = { load: queued, ended: 0, panicLoad: 0, panicRunning: running };
  const inputs = { at, running, queued, ongoing: 0, ...load, bounds };
  return { deployment: KEY, config: CONFIG, target: 1, inputs, replicas: { 'Cart#1': {} }, ...changes };
}

/** The policies of an app with the deployment `Cart`. */
function policies(
  policy: AutoscalingPolicy | undefined,
  autoscalingPolicy?: AppAutoscalingPolicy,
): FleetPolicies & { readonly log: Records } {
  const log = new Records();
  const cart = { spec: { source: { policy } } };
  const app = {
    name: 'shop',
    autoscalingPolicy,
    scalable: (name: string) => (name === 'Cart' ? cart : undefined),
  };
  const made = new FleetPolicies({ events: new Events(() => {}), log, apps: () => [app] });
  return Object.assign(made, { log });
}

test('a policy decides by the values of all replicas, its state, and when the fleet last scaled', () => {
  const asked: AutoscalingContext[] = [];
  const asking = policies((context) => {
    asked.push(context);
    return { replicas: 3, state: asked.length };
  });
  const replicas = { 'Cart#1': { backlog: 2 }, 'Cart#2': { backlog: 4 } };
  expect(asking.ask([consultation({ replicas })])).toEqual({ [KEY]: 3 });
  asking.ask([consultation({ replicas, target: 3 }, 250)]);
  expect(asked[1]).toMatchObject({
    appName: 'shop',
    deploymentName: 'Cart',
    targetNumReplicas: 3,
    runningReplicas: ['Cart#1', 'Cart#2'],
    aggregatedMetrics: { backlog: { 'Cart#1': 2, 'Cart#2': 4 } },
    policyState: 1,
    lastScaleUpTime: expect.any(Number),
    lastScaleDownTime: undefined,
  });
});

test('a policy that now looks back further gets the values of the longer period', () => {
  let last: AutoscalingContext | undefined;
  const asking = policies((context) => {
    last = context;
    return 1;
  });
  asking.ask([consultation({ replicas: { 'Cart#1': { backlog: 0 } } }, 0)]);
  for (let at = 1_000; at <= 20_000; at += 1_000) {
    const replicas = { 'Cart#1': { backlog: at } };
    asking.ask([consultation({ replicas, config: configOf(20_000) }, at)]);
  }
  expect(last?.rawMetrics['backlog']?.['Cart#1']).toHaveLength(20);
});

test('no policy is asked at a cold start, and its state outlasts it', () => {
  const states: unknown[] = [];
  const asking = policies(({ policyState }) => {
    states.push(policyState);
    return { replicas: 1, state: 'kept' };
  });
  asking.ask([consultation()]);
  const cold = consultation({ replicas: {} }, 250, 0, 3);
  expect(asking.ask([cold])).toEqual({ [KEY]: { hold: 'no policy was asked' } });
  asking.ask([consultation({}, 500)]);
  expect(states).toEqual([undefined, 'kept']);
});

test("an app's policy replaces that of its deployment, with a warning", () => {
  const own: AutoscalingContext[] = [];
  const asking = policies(
    (context) => own.push(context),
    (contexts) => Object.fromEntries(Object.keys(contexts).map((name) => [name, 4])),
  );
  for (const at of [0, 250]) expect(asking.ask([consultation({}, at)])).toEqual({ [KEY]: 4 });
  expect(own).toEqual([]);
  expect(asking.log.records).toEqual([
    {
      level: 'warn',
      fields: { app: 'shop', deployments: ['Cart'] },
      message: "the app's autoscaling policy replaces the policies of its deployments",
    },
  ]);
});

test('nothing changes where a policy fails, or the leader does not have it', () => {
  const failing = policies(() => {
    throw new Error('broken');
  });
  for (const at of [0, 250])
    expect(failing.ask([consultation({}, at)])).toEqual({ [KEY]: { hold: 'the policy failed' } });
  expect(failing.log.records.map(({ message }) => message)).toEqual(['autoscaling policy failed']);
  const without = policies(undefined);
  expect(without.ask([consultation()])).toEqual({
    [KEY]: { hold: 'the leader does not have the policy' },
  });
});
