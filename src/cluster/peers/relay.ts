import type { MessagePort } from 'node:worker_threads';
import type { ArrivedCall, Intake } from '../../channel/call-intake.ts';
import type { ChannelCall } from '../../channel/channel-call.ts';
import { METHOD_HTTP, METHOD_WEBSOCKET } from '../../channel/frames.ts';
import { LinkLedger } from '../../channel/link-ledger.ts';
import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import { PortTransport } from '../../channel/port-transport.ts';
import { ReplicaChannel } from '../../channel/replica-channel.ts';
import type { DeploymentLoad } from '../../load/deployment-load.ts';
import { RESERVED, type ReplicaLoad } from '../../load/load-table.ts';
import type { ReplicaHashTable } from '../../load/replica-hashes.ts';
import { now } from '../../time/clock.ts';
import { type EventLoop, loop } from '../../time/loop.ts';
import type { PeerChannel } from './peer-channel.ts';
import { RelayedCall } from './relayed-call.ts';

/** Tables of a relay, which callers read. */
export interface RelayTables {
  /** The relay's row in the load table, which the host made. */
  readonly load: ReplicaLoad;
  readonly deploymentLoad: DeploymentLoad;
  readonly replicaHashes: ReplicaHashTable;
}

/**
 * Stands for a deployment of a peer towards the replicas of this instance: to them it is a replica whose limit is the window
 * that the peer gives. It passes their calls on, and runs none.
 */
export class Relay implements Intake {
  readonly loop: EventLoop = loop;
  readonly placesAtOnce = 1;
  readonly #channel: PeerChannel;
  readonly #methods: readonly string[];
  readonly #load: ReplicaLoad;
  readonly #deploymentLoad: DeploymentLoad;
  /** Whether a call found no room: no other one comes before there may be room, or it would come again and again. */
  #isFull = false;

  constructor(
    channel: PeerChannel,
    methods: readonly string[],
    { load, deploymentLoad, replicaHashes }: RelayTables,
  ) {
    this.#channel = channel;
    this.#methods = methods;
    this.#load = load;
    this.#deploymentLoad = deploymentLoad;
    channel.onWindow((window) => this.#resize(window));
    channel.onFreed(() => {
      if (this.#isFull) this.#resize(channel.window);
      deploymentLoad.announceFreed();
    });
    channel.mindWaiting(() => deploymentLoad.queued > 0);
    const describe = (): void => {
      channel.models.copyTo(load.models);
      const { count, at } = channel.replicaHashes;
      replicaHashes.write(Array.from({ length: count }, (_, index) => at(index)));
      this.#resize(channel.window);
    };
    channel.onDescribed(describe);
    describe();
  }

  /** Connects one caller thread of this instance. */
  attach(callerName: string, port: MessagePort, ledger: SharedArrayBuffer): void {
    new ReplicaChannel(
      callerName,
      new PortTransport(port),
      new LinkLedger(ledger),
      this,
      (call) => this.#pass(call),
      () => {},
    );
  }

  close(error: unknown): void {
    this.#channel.close(error);
  }

  received(): boolean {
    return true;
  }

  defer(handle: () => void): void {
    handle();
  }

  offer(call: ArrivedCall): void {
    call.begin(now(), false);
  }

  ended(): void {}
  moved(): void {}
  streams(): void {}

  answered(calls: number): void {
    this.#load.countServed(calls);
    this.release(calls);
  }

  release(places: number): void {
    this.#load.release(places);
    this.#deploymentLoad.announceFreed();
  }

  #pass(call: ChannelCall): void {
    const method = this.#methodAt(call.method);
    if (method !== undefined && this.#reserve(call)) {
      this.#channel.send(new RelayedCall(call, method, this.#channel));
      return;
    }
    this.#shut();
    call.returned();
  }

  /** The window may be larger than what there is room for: the link may have to send much first. */
  #shut(): void {
    const { outstanding } = this.#channel;
    // The relay opens again with the next answer to these calls, when the link has sent what it had to, or with another link.
    this.#isFull = true;
    this.#load.limit = outstanding;
    this.#load.setOpen(outstanding, outstanding);
  }

  #reserve({ meta }: ChannelCall): boolean {
    const channel = this.#channel;
    if (meta?.fanOut === true) return channel.reserveBeyondLimit() === RESERVED.ok;
    const room = meta?.sessionId === undefined ? channel.reserve() : channel.reserveToWait();
    return room === RESERVED.ok;
  }

  #methodAt(index: number): string | undefined {
    if (index === METHOD_HTTP) return HTTP_METHOD_NAME;
    return index === METHOD_WEBSOCKET ? WEBSOCKET_METHOD_NAME : this.#methods[index];
  }

  #resize(window: number): void {
    this.#isFull = false;
    const channel = this.#channel;
    // Calls that have to run there may be more than the window says.
    this.#load.limit = channel.mayExceed ? Math.max(window, channel.limit) : window;
    this.#load.places = channel.placesAtOnce;
    if (this.#load.setOpen(window, window)) this.#deploymentLoad.announceFreed();
  }
}
