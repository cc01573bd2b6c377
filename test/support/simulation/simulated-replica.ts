import type { HostedDeployment } from '../../../src/deployment/app-spec.ts';
import type { Link } from '../../../src/handle/routing/link.ts';
import { openThreadLink } from '../../../src/handle/routing/thread-link.ts';
import type {
  LinkedReplica,
  LoopStack,
  ReplicaHost,
  ReplicaHosts,
  ReplicaPlace,
} from '../../../src/isolation/replica-host.ts';
import { ReplicaLoad } from '../../../src/load/load-table.ts';
import { ReplicaTally } from '../../../src/load/replica-tally.ts';
import type { StartPhase, ToHost, ToReplica } from '../../../src/replica/control.ts';
import { now, time } from '../../../src/time/clock.ts';
import { packError } from '../../../src/values/pack.ts';

/** How the replicas of one version behave. */
export interface Behaviour {
  /** Whether it serves as it should. */
  readonly isGood: boolean;
  readonly startMs: number;
  /** What the start fails in. */
  readonly failsIn?: StartPhase;
  /** How long a call takes; infinite: it never ends. */
  readonly callMs: number;
  /** Share of the calls that fail. */
  readonly failing?: number;
  /** A replica dies so long after it came up. */
  readonly diesAfterMs?: number;
}

/** Time in which an idle replica ends. */
const END_MS = 5;

/** A replica without code: it starts, answers and ends as its behaviour says, by the time of the thread. */
export class SimulatedReplica implements ReplicaHost {
  readonly load = new ReplicaLoad();
  readonly tally = new ReplicaTally();
  readonly exited: Promise<unknown>;
  readonly behaviour: Behaviour;
  readonly place: ReplicaPlace;
  #exit: (reason: unknown) => void = () => {};
  #receive: (message: ToHost) => void = () => {};
  #isGone = false;

  constructor(spec: HostedDeployment, place: ReplicaPlace, behaviour: Behaviour) {
    this.place = place;
    this.behaviour = behaviour;
    this.load.limit = spec.options.maxOngoingRequests;
    this.load.setOpen(spec.options.maxOngoingRequests, spec.options.maxOngoingRequests);
    this.exited = new Promise((resolve) => {
      this.#exit = resolve;
    });
    time.after(behaviour.startMs, () => this.#start());
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  /** Its event loop always turns. */
  get lastSeen(): number {
    return now() | 0;
  }

  listen(receive: (message: ToHost) => void): void {
    this.#receive = receive;
  }

  post(message: ToReplica): void {
    if (this.#isGone) return;
    if (message.type === 'openCalls')
      this.#receive({ type: 'answer', id: message.id, openCalls: { deadline: 0, hasStreams: false } });
    else if ('id' in message) this.#receive({ type: 'answer', id: message.id });
    if (message.type === 'close') time.after(END_MS, () => this.end(new Error('it was closed')));
  }

  /** A link whose other end is nobody's. */
  link(replica: LinkedReplica): Link {
    const { load, tally } = this;
    const { replicaId, instanceId, version, methods } = replica;
    return openThreadLink({ replicaId, instanceId, version, methods, load, tally }, (port) => port.close());
  }

  memory(): Promise<number> {
    return Promise.resolve(0);
  }

  async loopStack(): Promise<LoopStack> {
    return { frames: undefined, why: 'a simulated replica has no event loop' };
  }

  destroy(): void {
    time.after(END_MS, () => this.end(new Error('it was terminated')));
  }

  /** Ends at once, whatever it does. */
  end(reason: Error): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#exit(reason);
  }

  #start(): void {
    if (this.#isGone) return;
    const { failsIn, diesAfterMs } = this.behaviour;
    if (failsIn !== undefined) {
      const error = packError(new Error('it cannot start'));
      this.#receive({ type: 'failed', phase: failsIn, error });
      return;
    }
    this.#receive({ type: 'ready', methods: ['call'], hasStats: false, hasHealthCheck: false });
    if (diesAfterMs !== undefined) time.after(diesAfterMs, () => this.end(new Error('it died')));
  }
}

/** All replicas of a simulation, by their deployments. */
export class SimulatedHosts {
  readonly #behaviours: ReadonlyMap<string, Behaviour>;
  readonly #replicas = new Map<string, Set<SimulatedReplica>>();

  /** @param behaviours by version */
  constructor(behaviours: ReadonlyMap<string, Behaviour>) {
    this.#behaviours = behaviours;
  }

  /** For one deployment. */
  hosts(): ReplicaHosts {
    return { start: (spec, place) => this.#start(spec, place) };
  }

  /** Replicas of a deployment that are there. */
  of(app: string, deployment: string): readonly SimulatedReplica[] {
    return [...(this.#replicas.get(`${app}/${deployment}`) ?? [])];
  }

  #start(spec: HostedDeployment, place: ReplicaPlace): SimulatedReplica {
    const behaviour = this.#behaviours.get(spec.version);
    if (behaviour === undefined) throw new Error(`nobody said how ${spec.version} behaves`);
    const replica = new SimulatedReplica(spec, place, behaviour);
    const key = `${place.app}/${spec.name}`;
    const all = this.#replicas.get(key) ?? new Set();
    this.#replicas.set(key, all.add(replica));
    void replica.exited.then(() => all.delete(replica));
    return replica;
  }
}
