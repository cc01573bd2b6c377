import { simulatedPorts } from '../../../../sim/engine/simulated-port.ts';
import { VirtualThread, type VirtualTime } from '../../../../sim/engine/virtual-time.ts';
import { CallIntake } from '../../../../src/channel/call-intake.ts';
import { LinkLedger } from '../../../../src/channel/link-ledger.ts';
import { PortTransport } from '../../../../src/channel/port-transport.ts';
import { ReplicaChannel } from '../../../../src/channel/replica-channel.ts';
import type { Reachable } from '../../../../src/handle/routing/endpoint-registry.ts';
import type { ThreadLink } from '../../../../src/handle/routing/link.ts';
import type { DeploymentLoad } from '../../../../src/load/deployment-load.ts';
import { HoldingMeter } from '../../../../src/load/holding-meter.ts';
import { REPLICA_STATE, ReplicaLoad } from '../../../../src/load/load-table.ts';
import { ReplicaTally } from '../../../../src/load/replica-tally.ts';
import { EventLoop } from '../../../../src/time/loop.ts';
import { NO_ENCODING } from '../../../../src/values/transfer.ts';

/** What a replica tells of its calls. */
export interface RunLog {
  began(call: number, excess: boolean): void;
  /** The memory of a call did not arrive as it was sent. */
  spoiled(call: number): void;
}

/** A replica in an instance: it holds each call for the time that the call says. */
export class DataReplica implements Reachable {
  readonly replicaId: string;
  readonly load = new ReplicaLoad();
  readonly #time: VirtualTime;
  readonly #thread = new VirtualThread();
  readonly #threadOf: (caller: number) => VirtualThread;
  readonly #tally = new ReplicaTally();
  readonly #intake: CallIntake;
  readonly #log: RunLog;
  readonly #version: string;
  #limit: number;
  #running = 0;
  #isDead = false;

  /** @param threadOf returns the thread of a caller of the instance by its index */
  constructor(
    replicaId: string,
    limit: number,
    time: VirtualTime,
    deploymentLoad: DeploymentLoad,
    threadOf: (caller: number) => VirtualThread,
    log: RunLog,
    version = 'v1',
  ) {
    this.#version = version;
    this.replicaId = replicaId;
    this.#time = time;
    this.#threadOf = threadOf;
    this.#log = log;
    this.#limit = limit;
    this.load.limit = limit;
    this.load.setState(REPLICA_STATE.ready);
    const noRoom = (): number => 0;
    const meter = new HoldingMeter(() => this.#thread.activeMs);
    this.#intake = new CallIntake(this.load, deploymentLoad, () => {}, noRoom, new EventLoop(), meter);
  }

  link({ index }: { readonly index: number }): ThreadLink {
    const ports = simulatedPorts(this.#time, this.#threadOf(index), this.#thread);
    const ledger = new LinkLedger();
    const transport = new PortTransport(ports.replica);
    new ReplicaChannel(
      `caller-${index}`,
      transport,
      ledger,
      this.#intake,
      (call) => this.#run(call),
      () => {},
    );
    return {
      kind: 'thread',
      port: ports.caller,
      replicaId: this.replicaId,
      instanceId: 'simulated',
      version: this.#version,
      load: this.load.shared,
      ledger: ledger.shared,
      tally: this.#tally.shared,
      methods: ['call'],
    };
  }

  /** Changes the number of its places; calls beyond them run on. */
  resize(limit: number): void {
    // Calls that were sent before may begin now.
    this.#limit = Math.max(limit, this.load.ongoing);
    this.load.limit = limit;
  }

  /** It ends with its calls, which are never answered. */
  die(): void {
    this.#isDead = true;
    this.load.setState(REPLICA_STATE.dead);
  }

  #run(call: Parameters<ConstructorParameters<typeof ReplicaChannel>[4]>[0]): void {
    const [id, ms, length] = call.raw().args as [number, number, number];
    this.#running++;
    this.#log.began(id, this.#running > this.#limit);
    const bytes = call.raw().args[3] as Uint8Array<ArrayBuffer> | undefined;
    if (bytes !== undefined && !isMemoryOf(id, length, bytes)) this.#log.spoiled(id);
    this.#time.at(this.#time.now() + ms, () => {
      this.#running--;
      if (this.#isDead) return;
      const transfer = bytes && [bytes.buffer];
      call.result([id, bytes], { ...NO_ENCODING, transfer, bytes: length });
    });
  }
}

/** Memory that a call brings to its replica and back. */
export function memoryOf(call: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).fill(call + 1);
}

export function isMemoryOf(call: number, length: number, bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, memoryOf(call, length)) === 0;
}
