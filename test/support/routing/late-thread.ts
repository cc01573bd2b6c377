import { createHandle } from '../../../src/handle/api/handle.ts';
import type { DeploymentHandle } from '../../../src/handle/api/handle-types.ts';
import { type RouteConfig, UNKNOWN_CONFIG } from '../../../src/handle/call/route-config.ts';
import { routeKey } from '../../../src/handle/routing/directory.ts';
import { Router } from '../../../src/handle/routing/router.ts';
import { threadConnector } from '../../../src/handle/routing/thread-link.ts';
import { DeploymentLoad, QueueLedger } from '../../../src/load/deployment-load.ts';
import { SessionTable } from '../../../src/load/session-table.ts';
import { FakeReplica } from './fake-replica.ts';

interface Model {
  call(value: unknown): unknown;
}

const KEY = routeKey('app', 'Model');

/** A thread with a handle to a deployment, of which it hears when a test says so. */
export class LateThread {
  readonly router: Router = new Router(
    { index: 1, instanceId: 'instance', name: 'i' },
    { subscribe() {}, replaced() {}, lost() {} },
    {
      connectors: { thread: threadConnector, inline: { connect: () => Promise.reject(new Error('inline')) } },
      onUnobserved() {},
    },
  );
  readonly handle: DeploymentHandle<Model> = createHandle(this.router, 'app', 'Model');

  announced(config: Partial<RouteConfig> = {}): void {
    this.router.apply({
      type: 'route',
      key: KEY,
      app: 'app',
      deployment: 'Model',
      load: new DeploymentLoad().shared,
      queue: new QueueLedger().shared,
      sessions: new SessionTable().shared,
      config: { ...UNKNOWN_CONFIG, ...config },
    });
  }

  up(name: string, limit = 10, tier: 'local' | 'peer' = 'local'): FakeReplica {
    const replica = new FakeReplica(name, limit, tier);
    this.router.route('app', 'Model', KEY).add(replica.endpoint);
    return replica;
  }

  listed(): void {
    this.router.apply({ type: 'listed', key: KEY });
  }

  gone(error: unknown): void {
    this.router.apply({ type: 'gone', key: KEY, error });
  }
}
