import { vi } from 'vitest';
import { ServeError } from '../../../src/errors.ts';
import { type RouteConfig, UNKNOWN_CONFIG } from '../../../src/handle/call/route-config.ts';
import { AdmissionControl } from '../../../src/handle/queue/admission-control.ts';
import type { TenantsOptions } from '../../../src/handle/queue/tenants.ts';
import { Route } from '../../../src/handle/routing/route.ts';
import { DeploymentLoad, QueueLedger } from '../../../src/load/deployment-load.ts';
import { now } from '../../../src/time/clock.ts';
import { FakeReplica, TestCall, TestKeyedCall } from './fake-replica.ts';

/** A deployment without time limits. */
const CONFIG: RouteConfig = { ...UNKNOWN_CONFIG, requestTimeoutMs: 0, streamIdleTimeoutMs: 0 };

/** One caller thread of a deployment whose replicas a test plays. */
export class Harness {
  readonly load: DeploymentLoad;
  readonly ledger = new QueueLedger();
  readonly gate: AdmissionControl;
  readonly route: Route;
  readonly replicas: FakeReplica[] = [];
  readonly calls: Array<TestCall | TestKeyedCall> = [];

  /** @param other another thread that calls the same deployment */
  constructor(config: Partial<RouteConfig> = {}, maxQueued = -1, tenants?: TenantsOptions, other?: Harness) {
    this.load = new DeploymentLoad(other?.load.shared);
    this.gate = new AdmissionControl(tenants);
    this.route = new Route('app', 'Model', { index: other === undefined ? 0 : 1, name: 'i' }, this.gate, {
      tend() {},
      unobserved() {},
    });
    this.load.maxQueued = maxQueued;
    this.route.adopt(this.load, this.ledger, { ...CONFIG, tenants, ...config });
  }

  start(limit = 1, tier: 'local' | 'peer' = 'local', version = 'v1'): FakeReplica {
    const replica = new FakeReplica(`r${this.replicas.length}`, limit, tier, version);
    this.replicas.push(replica);
    this.route.add(replica.endpoint);
    return replica;
  }

  call(
    options: {
      rank?: number;
      tenant?: string;
      session?: string;
      model?: string;
      leftMs?: number;
      preferLocal?: boolean;
    } = {},
  ): TestCall {
    const call = new TestCall(this.route, 'call');
    const { tenant, session, model, leftMs } = options;
    if (tenant !== undefined || session !== undefined || model !== undefined) {
      call.meta = {
        ...(tenant && { tenant }),
        ...(session && { sessionId: session }),
        ...(model && { multiplexedModelId: model }),
      };
    }
    call.priorityRank = options.rank ?? 1;
    call.preferLocal = options.preferLocal;
    this.calls.push(call);
    this.route.begin(call, leftMs === undefined ? 0 : now() + leftMs);
    this.route.dispatch(call);
    return call;
  }

  callOnce(key: string, argument: number): void {
    const call = new TestKeyedCall(this.route, 'call');
    call.args = [argument];
    call.priorityRank = 1;
    this.calls.push(call);
    this.route.begin(call, 0);
    this.route.dispatchOnce(call, key);
  }

  kill(replica: FakeReplica, started: number): void {
    replica.die(started, () => this.route.remove(replica.endpoint.replicaId, undefined));
  }

  /** Ends everything: what runs is answered, what waits is refused. */
  finish(): void {
    vi.advanceTimersByTime(1_000);
    for (let round = 0; round < 1_000 && this.replicas.some(({ open }) => open.length > 0); round++) {
      for (const replica of this.replicas) replica.answer(replica.open[0], (call) => call.succeeded(0));
    }
    this.route.refuse(new ServeError('SERVE_UNAVAILABLE', 'the test is over'));
    vi.advanceTimersByTime(1_000);
  }
}

export function outcomes(calls: ReadonlyArray<TestCall | TestKeyedCall>): Array<string | undefined> {
  return calls.map(({ outcome }) => outcome);
}
