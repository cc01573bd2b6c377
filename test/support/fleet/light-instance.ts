import type { PeerAddress } from '../../../src/cluster/fleet-options.ts';
import { dialOptions } from '../../../src/cluster/peers/dial-options.ts';
import { PeerHealth } from '../../../src/cluster/peers/health/peer-health.ts';
import { HostPeers } from '../../../src/cluster/peers/host-peers.ts';
import { PeerClient } from '../../../src/cluster/peers/peer-client.ts';
import { PeerCounts } from '../../../src/cluster/peers/peer-counts.ts';
import { createHandle } from '../../../src/handle/api/handle.ts';
import { EndpointRegistry } from '../../../src/handle/routing/endpoint-registry.ts';
import { RegistryDirectory } from '../../../src/handle/routing/registry-directory.ts';
import { Router } from '../../../src/handle/routing/router.ts';
import type { DeploymentHandle } from '../../../src/index.ts';
import { time } from '../../../src/time/clock.ts';
import { FaultCounts } from '../../../src/wire/wire-error.ts';
import { FLEET } from './instances.ts';

/**
 * An instance without replicas and without threads of its own, which calls a peer over real links: a process has room for
 * many of them.
 */
export class LightInstance implements Disposable {
  readonly counts = new PeerCounts();
  readonly #health = new PeerHealth(time);
  readonly #router: Router;
  readonly #peers: HostPeers;
  readonly #client: PeerClient;

  constructor(name: string, peer: PeerAddress) {
    const registry = new EndpointRegistry();
    const caller = { index: 0, instanceId: name, name };
    const port = { caller, send: (event: Parameters<Router['apply']>[0]) => this.#router.apply(event) };
    const dialling = dialOptions(FLEET, name, 1);
    const needs = { health: this.#health, counts: this.counts, faults: new FaultCounts() };
    this.#peers = new HostPeers(registry, dialling, { callerIndex: 1, post() {} }, needs, undefined);
    const refuse = (): never => {
      throw new Error('the instance has no replicas');
    };
    this.#router = new Router(caller, new RegistryDirectory(registry, port), {
      connectors: {
        thread: { connect: refuse },
        inline: { connect: refuse },
        peer: { connect: (link, onGone) => this.#peers.connect(link, onGone) },
      },
      onUnobserved() {},
    });
    registry.addCaller(port);
    registry.observe({
      configured: (key, config) => this.#peers.configured(key, config),
      removed() {},
      ingress() {},
    });
    this.#client = new PeerClient({ ...dialling, ...peer, isKept: true }, needs, {
      opened() {},
      up: (instance, epoch) => this.#peers.up(peer, instance, epoch),
      endpoints: (status) => this.#peers.described(peer, status),
      down: (error) => void this.#peers.down(peer, error),
      closed() {},
      failed() {},
    });
  }

  handle<T>(app: string): DeploymentHandle<T> {
    return createHandle<T>(this.#router, app, '');
  }

  [Symbol.dispose](): void {
    const error = new Error('the instance is closed');
    this.#client.close(error);
    this.#peers.close();
    this.#health.close();
    this.#router.close(error);
  }
}
