import { RelayJsonPort } from '../../../channel/json/json-ports.ts';
import { LinkLedger } from '../../../channel/link-ledger.ts';
import { ReplicaChannel } from '../../../channel/replica-channel.ts';
import { ServeError } from '../../../errors.ts';
import { Router } from '../../../handle/routing/router.ts';
import { threadConnector } from '../../../handle/routing/thread-link.ts';
import type { DeploymentLoad } from '../../../load/deployment-load.ts';
import type { ReplicaLoad } from '../../../load/load-table.ts';
import type { ReplicaTally } from '../../../load/replica-tally.ts';
import type { AgentControl, ToHost, ToReplica } from '../../../replica/control.ts';
import { ControlDirectory } from '../../../replica/control-directory.ts';
import { ModelReporter } from '../../../replica/model-reporter.ts';
import { openCallsOf } from '../../../replica/open-calls.ts';
import { unpackEvent } from '../../../replica/packed-event.ts';
import { now } from '../../../time/clock.ts';
import { packError, unpack } from '../../../values/pack.ts';
import type { ChildLife } from '../child-life.ts';
import type { ChildProcess } from '../child-process.ts';
import { ChildCalls } from './child-calls.ts';
import { ChildDirectory } from './child-directory.ts';
import { ChildLink, LANE } from './child-link.ts';
import {
  type ChildInit,
  type FromChild,
  type ModelsEvent,
  mainCallerOf,
  readState,
  type ToChild,
} from './child-messages.ts';
import { GatewayIntake } from './gateway-intake.ts';
import { Relay } from './relay.ts';

/** The period at which counted calls are shipped to the host, in ms. */
const STATS_MS = 1_000;

/** Time in which a child without work ends by itself, in ms. */
const RUN_DRY_MS = 1_000;

/** The tables that a replica shares with the host and its callers. */
export interface GatewayTables {
  readonly load: ReplicaLoad;
  readonly deploymentLoad: DeploymentLoad;
  readonly tally: ReplicaTally;
}

/**
 * The thread of a replica whose user code runs in a Node process: passes calls and control messages on, keeps the
 * replica's load table, and makes the child's calls to other deployments.
 */
export class Gateway {
  readonly #init: ChildInit;
  readonly #control: AgentControl;
  readonly #tables: GatewayTables;
  readonly #life: ChildLife;
  readonly #link: ChildLink;
  readonly #router: Router;
  readonly #directory: ChildDirectory;
  readonly #calls: ChildCalls;
  readonly #intake: GatewayIntake;
  readonly #models: ModelReporter;
  readonly #channels = new Map<ReplicaChannel, RelayJsonPort>();
  readonly #shipper: NodeJS.Timeout;
  #relay: Relay | undefined = undefined;
  /** Values of the tables that the child knows. */
  #isObserved = false;
  #limit: number;
  /** Id of the host's question whose answer ends the child. */
  #closing: number | undefined = undefined;

  constructor(
    init: ChildInit,
    control: AgentControl,
    tables: GatewayTables,
    child: ChildProcess,
    life: ChildLife,
  ) {
    this.#init = init;
    this.#control = control;
    this.#tables = tables;
    this.#life = life;
    this.#limit = init.maxOngoingRequests;
    this.#intake = new GatewayIntake(tables.load, tables.deploymentLoad, tables.tally);
    this.#models = new ModelReporter(tables.load.models, tables.deploymentLoad);
    this.#link = new ChildLink(child.link, {
      control: (message) => this.#fromChild(message as FromChild),
      state: (values) => this.#reported(values),
      // The exit of the process follows, and says why.
      closed() {},
    });
    const { instanceId, callerIndex } = init;
    this.#router = new Router(
      { index: callerIndex, instanceId, name: `${instanceId}.${callerIndex}` },
      new ControlDirectory(control),
      // The child observes the responses.
      { connectors: { thread: threadConnector }, onUnobserved() {} },
    );
    this.#directory = new ChildDirectory(instanceId, (message) => this.#toChild(message));
    this.#calls = new ChildCalls(this.#router, this.#link.lane(LANE.toParent));
    control.listen((message) => this.#fromHost(message));
    this.#shipper = setInterval(() => this.#shipStats(), STATS_MS).unref();
  }

  /** Gives the child its data, with which it loads the user's code. */
  start(): void {
    try {
      this.#toChild({ type: 'init', init: this.#init });
    } catch (cause) {
      const { deployment } = this.#init;
      const what = `${deployment}: an argument cannot cross to a process: it is shared memory, or a Blob`;
      const error = packError(new ServeError('SERVE_NOT_SERIALIZABLE', what, { cause, deployment }));
      this.#control.post({ type: 'failed', phase: 'construct', error });
    }
  }

  #fromHost(message: ToReplica): void {
    switch (message.type) {
      case 'attach':
        this.#attach(message);
        return;
      case 'directory': {
        const event = unpackEvent(message);
        if (this.#directory.tell(event)) this.#router.apply(event);
        return;
      }
      case 'openCalls':
        this.#control.post({ type: 'answer', id: message.id, openCalls: openCallsOf(this.#channels.keys()) });
        return;
      case 'close':
        this.#closing = message.id;
        this.#toChild(message);
        return;
      default:
        this.#toChild(message);
    }
  }

  #fromChild(message: FromChild): void {
    switch (message.type) {
      case 'ready':
        this.#relay = new Relay(this.#link, message.methods, mainCallerOf(this.#init));
        this.#tables.load.tick(now());
        this.#control.post(message);
        return;
      case 'subscribe': {
        const [app = '', deployment = ''] = message.key.split('/');
        this.#router.route(app, deployment, message.key);
        return;
      }
      case 'method':
        this.#calls.announced(message.called);
        return;
      case 'models':
        this.#modelsChanged(message.event);
        return;
      case 'stats':
        this.#control.post({ ...message, calls: message.calls.filter((call) => this.#isCounted(call)) });
        return;
      case 'exiting':
        this.#life.blame(unpack(message.error));
        return;
      case 'answer':
        if (message.id === this.#closing) void this.#close(message);
        else this.#control.post(message);
        return;
      default:
        this.#control.post(message);
    }
  }

  #attach({ callerName, port, ledger }: Extract<ToReplica, { type: 'attach' }>): void {
    const relay = this.#relay;
    if (relay === undefined) return;
    const transport = new RelayJsonPort(port);
    const channel = new ReplicaChannel(
      callerName,
      transport,
      new LinkLedger(ledger),
      this.#intake,
      (call) => relay.pass(call),
      () => this.#channels.delete(channel),
    );
    this.#channels.set(channel, transport);
  }

  #reported(values: readonly number[]): void {
    this.#intake.reported(readState(values));
    const { isObserved } = this.#tables.tally;
    const { limit } = this.#tables.load;
    if (isObserved === this.#isObserved && limit === this.#limit) return;
    this.#isObserved = isObserved;
    this.#limit = limit;
    this.#toChild({ type: 'tables', isObserved, limit });
  }

  #modelsChanged(event: ModelsEvent): void {
    switch (event.type) {
      case 'made':
        this.#models.made();
        return;
      case 'changed':
        this.#models.changed(event.modelIds);
        return;
      case 'used':
        this.#models.used(event.stalestAt);
        return;
      case 'loaded':
        this.#models.loaded(event.ms);
    }
  }

  /** The child has no more to do. It ends, by itself or by force, and then this thread does. */
  async #close(answer: Extract<ToHost, { type: 'answer' }>): Promise<void> {
    this.#shipStats();
    clearInterval(this.#shipper);
    for (const [channel, transport] of this.#channels) {
      channel.flush();
      transport.unref();
    }
    this.#router.close(new ServeError('SERVE_UNAVAILABLE', 'the replica is stopping'));
    // A forced end of a process harms no other one, whatever native work is under way in it.
    await this.#life.end(answer.remains?.hasLeftovers === false ? RUN_DRY_MS : 0);
    this.#control.unref();
    this.#control.post({ ...answer, remains: { hasLeftovers: false, hasAddons: false } });
  }

  /** Whether only the child knows of these calls. The others are counted where they are placed. */
  #isCounted({ app, deployment }: { readonly app: string; readonly deployment: string }): boolean {
    return this.#directory.counted.has(`${app}/${deployment}`);
  }

  #shipStats(): void {
    const calls = this.#router.takeStats();
    if (calls.length > 0) this.#control.post({ type: 'stats', calls, batches: [], metrics: [] });
  }

  #toChild(message: ToChild): void {
    this.#link.postControl(message);
  }
}
