import { batchRoom } from '../../src/batching/advice.ts';
import { batch } from '../../src/batching/batch.ts';
import type { BatchOptions } from '../../src/batching/batch-options.ts';
import { CallIntake } from '../../src/channel/call-intake.ts';
import { LinkLedger } from '../../src/channel/link-ledger.ts';
import { PortTransport } from '../../src/channel/port-transport.ts';
import { ReplicaChannel } from '../../src/channel/replica-channel.ts';
import type { ThreadLink } from '../../src/handle/routing/link.ts';
import type { DeploymentLoad } from '../../src/load/deployment-load.ts';
import { HoldingMeter } from '../../src/load/holding-meter.ts';
import { REPLICA_STATE, ReplicaLoad } from '../../src/load/load-table.ts';
import { ReplicaTally } from '../../src/load/replica-tally.ts';
import { CallExecutor, type IngressProtocol } from '../../src/replica/call-executor.ts';
import { UserCode } from '../../src/replica/user-code.ts';
import { EventLoop } from '../../src/time/loop.ts';
import { ModelHost } from './model-host.ts';
import { simulatedPorts } from './simulated-port.ts';
import { VirtualThread, type VirtualTime } from './virtual-time.ts';
import type { Errand, Work } from './work.ts';

/** How the user's code of a replica behaves. */
export interface Nature {
  /** Multiplies the time of each call, by the time at which it begins. Default 1. */
  readonly slowness?: (at: number) => number;
  /** How long a call computes or waits that begins at this time, in ms. Default, and undefined: as long as its errand says. */
  readonly takesMs?: (at: number) => number | undefined;
  /** Every call fails at once with this error. */
  readonly failsWith?: Error;
  /** Calls wait for their model first. */
  readonly models?: { readonly slots: number; readonly loadMs: number };
  /** The method is batched, and this is what a batch does. */
  readonly batch?: { readonly options: BatchOptions<Errand>; readonly workOf: (items: number) => Work };
}

/** How long a call takes that fails at once, in ms. */
const FAILURE_MS = 0.02;

const NO_INGRESS: IngressProtocol = {
  request: refuse,
  respond: refuse,
  requireUpgrade: refuse,
  serveWebSocket: refuse,
};

function refuse(): never {
  throw new Error('a simulated replica has no ingress');
}

/** The shipped parts of a replica's thread on a virtual thread: only the user's code is simulated. */
export class SimulatedReplica {
  readonly replicaId: string;
  readonly load: ReplicaLoad = new ReplicaLoad();
  readonly models: ModelHost | undefined;
  /** Calls that began here. */
  begun = 0;
  /** For how long calls held a place here once they had begun, in ms, by tenant. */
  readonly busyMs: Map<string, number> = new Map<string, number>();
  readonly #time: VirtualTime;
  readonly #nature: Nature;
  readonly #thread = new VirtualThread();
  readonly #tally = new ReplicaTally();
  readonly #intake: CallIntake;
  readonly #replica: CallExecutor;
  #onDrained: () => void = () => {};

  private constructor(
    replicaId: string,
    limit: number,
    time: VirtualTime,
    deploymentLoad: DeploymentLoad,
    nature: Nature,
    code: UserCode,
  ) {
    this.replicaId = replicaId;
    this.#time = time;
    this.#nature = nature;
    this.load.limit = limit;
    this.load.setState(REPLICA_STATE.ready);
    this.models = nature.models && new ModelHost(time, nature.models, this.load, deploymentLoad);
    const identity = { app: 'app', deployment: 'Simulated', replicaId, rank: 0, gpus: [] };
    this.#replica = new CallExecutor(identity, code, NO_INGRESS, this.#tally);
    this.#intake = new CallIntake(
      this.load,
      deploymentLoad,
      () => this.#onDrained(),
      batchRoom(code.methods),
      new EventLoop(),
      new HoldingMeter(() => this.#thread.activeMs),
    );
  }

  static async start(
    replicaId: string,
    limit: number,
    time: VirtualTime,
    deploymentLoad: DeploymentLoad,
    nature: Nature,
  ): Promise<SimulatedReplica> {
    const target =
      nature.batch === undefined
        ? (errand: Errand): Promise<void> => replica.#run(errand)
        : batch(nature.batch.options, (errands: Errand[]) => replica.#runBatch(errands));
    const code = await UserCode.construct({ target, schemas: {} }, []);
    const replica = new SimulatedReplica(replicaId, limit, time, deploymentLoad, nature, code);
    return replica;
  }

  /** Opens a link to a caller thread. */
  link(caller: VirtualThread): ThreadLink {
    const ports = simulatedPorts(this.#time, caller, this.#thread);
    const ledger = new LinkLedger();
    const begin = (call: Parameters<CallExecutor['begin']>[0]): void => this.#replica.begin(call);
    new ReplicaChannel('s', new PortTransport(ports.replica), ledger, this.#intake, begin, () => {});
    return {
      kind: 'thread',
      port: ports.caller,
      replicaId: this.replicaId,
      instanceId: 'simulated',
      version: 'v1',
      load: this.load.shared,
      ledger: ledger.shared,
      tally: this.#tally.shared,
      methods: ['call'],
    };
  }

  /** Takes no more calls. @param onDrained those that it has are over */
  drain(onDrained: () => void): void {
    this.#onDrained = onDrained;
    this.load.setState(REPLICA_STATE.draining);
    if (this.load.ongoing === 0) onDrained();
  }

  async #runBatch(errands: readonly Errand[]): Promise<undefined[]> {
    const { holdMs = 0, waitMs = 0 } = this.#nature.batch?.workOf(errands.length) ?? {};
    await this.#time.hold(holdMs);
    if (waitMs > 0) await this.#time.sleep(waitMs);
    return errands.map(() => undefined);
  }

  /** The user's code. */
  async #run(errand: Errand): Promise<void> {
    const time = this.#time;
    const { failsWith, slowness, takesMs } = this.#nature;
    const begunAt = time.now();
    this.begun++;
    if (failsWith !== undefined) {
      await time.hold(FAILURE_MS);
      throw failsWith;
    }
    const { holdMs, waitMs } = errand.begin();
    const fixed = takesMs?.(begunAt);
    const factor = fixed === undefined ? (slowness?.(begunAt) ?? 1) : fixed / (holdMs + waitMs);
    if (errand.modelId !== undefined) await this.models?.get(errand.modelId);
    await time.hold(holdMs * factor);
    if (waitMs > 0) await time.sleep(waitMs * factor);
    const { tenant } = errand;
    this.busyMs.set(tenant, (this.busyMs.get(tenant) ?? 0) + time.now() - begunAt);
  }
}
