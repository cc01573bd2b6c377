import { expect, test } from 'vitest';
import { UNKNOWN_CONFIG } from '../call/route-config.ts';
import { type DirectoryEvent, routeKey } from './directory.ts';
import { type CallerPort, EndpointRegistry } from './endpoint-registry.ts';

/** A caller thread that notes the events that it is sent. */
function notingCaller(): { caller: CallerPort; events: DirectoryEvent[] } {
  const events: DirectoryEvent[] = [];
  const caller = { index: 0, instanceId: 'i', name: 'i.0' };
  return { caller: { caller, send: (event) => void events.push(event) }, events };
}

const APP = routeKey('app', '');
const MODEL = routeKey('app', 'Model');

test('an app is found again when its deployment is removed and registered under the same names', () => {
  const registry = new EndpointRegistry();
  const { caller, events } = notingCaller();
  registry.addCaller(caller);
  const register = (): void => {
    registry.configure(MODEL, UNKNOWN_CONFIG, 10);
    registry.setIngress('app', 'Model');
  };
  register();
  expect(registry.ingressOf('app')).toBe('Model');
  registry.remove(MODEL, new Error('stopped'));
  expect(registry.ingressOf('app')).toBeUndefined();
  // At once, while the instance may still close what else the app had.
  register();
  registry.subscribe(caller, APP);
  expect(events).toMatchObject([
    { type: 'route', key: APP, app: 'app', deployment: 'Model' },
    { type: 'listed', key: APP },
  ]);
});

test('an app keeps its ingress when another of its deployments is removed', () => {
  const registry = new EndpointRegistry();
  registry.configure(MODEL, UNKNOWN_CONFIG, 10);
  registry.configure(routeKey('app', 'Helper'), UNKNOWN_CONFIG, 10);
  registry.setIngress('app', 'Model');
  registry.remove(routeKey('app', 'Helper'), new Error('stopped'));
  expect(registry.ingressOf('app')).toBe('Model');
});
