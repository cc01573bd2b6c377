import { Socket } from 'node:net';
import { NO_LEDGER } from '../../../channel/start-ledger.ts';
import type { DirectoryEvent } from '../../../handle/routing/directory.ts';
import { DeploymentLoad, QueueLedger } from '../../../load/deployment-load.ts';
import { SessionTable } from '../../../load/session-table.ts';
import type { ToReplica } from '../../../replica/control.ts';
import { enterReplicaAgent } from '../../../replica/current-thread.ts';
import { adaptGlobals } from '../../../replica/ingress/request.ts';
import { ReplicaAgent } from '../../../replica/replica-agent.ts';
import { adoptEpoch } from '../../../time/clock.ts';
import { packError } from '../../../values/pack.ts';
import { createInlineChannel } from '../../inline/inline-channel.ts';
import { LINK_FD } from '../child-process.ts';
import { killGroup } from '../process-group.ts';
import { ChildLink, LANE } from './child-link.ts';
import {
  type ChildInit,
  type ChildRoute,
  type FromChild,
  type ModelsEvent,
  mainCallerOf,
  type ToChild,
} from './child-messages.ts';
import { holdLifeline } from './lifeline.ts';
import { SharedTransport } from './parent-calls.ts';
import { ParentConnector } from './parent-channel.ts';
import { StateReporter } from './state-reporter.ts';

/** Runs a replica's user code in this process, for the thread at the other end of the link. */
export function runChild(): void {
  holdLifeline();
  adaptGlobals();
  const socket = new Socket({ fd: LINK_FD, readable: true, writable: true });
  new Child(socket);
}

/** The replica in a child process: the same agent as in a thread, behind a link in place of ports and shared memory. */
class Child {
  readonly #socket: Socket;
  readonly #link: ChildLink;
  #receive: (message: ToReplica) => void = () => {};
  #reporter: StateReporter | undefined = undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#link = new ChildLink(socket, {
      control: (message) => this.#control(message as ToChild),
      state() {},
      arrived: () => this.#reporter?.arrived(),
      closed: () => killGroup(process.pid),
    });
  }

  #control(message: ToChild): void {
    switch (message.type) {
      case 'init':
        this.#start(message.init);
        return;
      case 'tables':
        this.#reporter?.configure(message.isObserved, message.limit);
        return;
      case 'route':
        this.#receive({ type: 'directory', event: withTables(message) });
        return;
      default:
        this.#receive(message);
    }
  }

  #start(init: ChildInit): void {
    adoptEpoch(init.epoch);
    const link = this.#link;
    const post = (message: FromChild): void => link.postControl(message);
    const reporter = new StateReporter(link, init.maxOngoingRequests);
    this.#reporter = reporter;
    const { load, deploymentLoad } = reporter;
    const parent = new ParentConnector(new SharedTransport(link.lane(LANE.toParent)), (called) =>
      post({ type: 'method', called }),
    );
    const models = (event: ModelsEvent): void => post({ type: 'models', event });
    const agent: ReplicaAgent = new ReplicaAgent(
      init,
      {
        post: (message) => {
          post(message);
          if (message.type === 'ready') agent.attach(mainCallerOf(init), link.lane(LANE.toChild), NO_LEDGER);
          else if (message.type === 'exiting') link.flush();
        },
        listen: (receive) => {
          this.#receive = receive;
        },
        unref: () => void this.#socket.unref(),
      },
      {
        load,
        deploymentLoad,
        tally: reporter,
        models: {
          made: () => models({ type: 'made' }),
          changed: (modelIds) => models({ type: 'changed', modelIds }),
          used: (stalestAt) => models({ type: 'used', stalestAt }),
          loaded: (ms) => models({ type: 'loaded', ms }),
        },
      },
      { parent, inline: { connect: (inline) => createInlineChannel(inline) } },
    );
    enterReplicaAgent(agent.router);
    process.on('uncaughtExceptionMonitor', (error) => {
      post({ type: 'exiting', error: packError(error) });
      link.flush();
    });
    void agent.start();
  }
}

/** Adds tables of this process to a route. Calls do not queue here, where they could go nowhere else. */
function withTables(route: ChildRoute): DirectoryEvent {
  const load = new DeploymentLoad();
  load.maxQueued = -1;
  const tables = { queue: new QueueLedger().shared, sessions: new SessionTable().shared };
  return { ...route, load: load.shared, ...tables };
}
