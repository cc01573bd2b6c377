import type { CallChannel } from '../../../channel/call-channel.ts';
import { CallerEnd } from '../../../channel/caller-end.ts';
import { NO_LEDGER } from '../../../channel/start-ledger.ts';
import type { FrameTransport } from '../../../channel/transport.ts';
import type { Connector } from '../../../handle/routing/connector.ts';
import { HOLDS_NOTHING } from '../../../load/holding.ts';
import { RESERVED, type Reservation } from '../../../load/load-table.ts';
import type { ReplicaModels } from '../../../load/model-table.ts';
import { ReplicaTally } from '../../../load/replica-tally.ts';
import type { CalledMethod } from './child-messages.ts';
import type { SharedTransport } from './parent-calls.ts';

/** Number of places that `map()` and the like see. The real limits hold where the replica's thread places the calls. */
const PLACES = 64;

const ANY_MODEL: ReplicaModels = {
  keepsModels: false,
  count: 0,
  loadMs: 0,
  stalestAt: 0,
  holds: () => true,
  at: () => undefined,
};

/** Connects the routes of a child with the thread that spawned it. */
export class ParentConnector implements Connector<'parent'> {
  readonly #transport: SharedTransport;
  readonly #announce: (called: CalledMethod) => void;
  /** Number of methods that were announced. */
  #announced = 0;

  /** @param announce tells the thread of a method, before the first call to it */
  constructor(transport: SharedTransport, announce: (called: CalledMethod) => void) {
    this.#transport = transport;
    this.#announce = announce;
  }

  connect({ app, deployment }: { readonly app: string; readonly deployment: string }): CallChannel {
    const indexOf = (method: string): number => {
      const index = this.#announced++;
      this.#announce({ index, app, deployment, method });
      return index;
    };
    return new ParentChannel(this.#transport.open(), new AnnouncedMethods(indexOf));
  }
}

/** Every name is a method here: only the replicas know their methods. */
class AnnouncedMethods extends Map<string, number> {
  readonly #indexOf: (method: string) => number;

  constructor(indexOf: (method: string) => number) {
    super();
    this.#indexOf = indexOf;
  }

  override get(method: string): number {
    let index = super.get(method);
    if (index === undefined) {
      index = this.#indexOf(method);
      this.set(method, index);
    }
    return index;
  }
}

/**
 * The way of a child's calls to the replicas of one deployment: they wait for a replica at the thread that spawned the
 * child, which takes every call.
 */
class ParentChannel extends CallerEnd implements CallChannel {
  readonly isInline = false;
  readonly tier = 'local';
  readonly fansOut = true;
  readonly limit = PLACES;
  readonly ongoing = 0;
  readonly free = PLACES;
  readonly wouldWait = false;
  readonly served = 0;
  readonly isStuck = false;
  readonly tally = new ReplicaTally();
  readonly models = ANY_MODEL;
  readonly holding = HOLDS_NOTHING;

  constructor(transport: FrameTransport, methods: AnnouncedMethods) {
    super(transport, NO_LEDGER, methods);
  }

  isHeld(): boolean {
    return false;
  }

  room(): Reservation {
    return this.isClosed ? RESERVED.gone : RESERVED.ok;
  }

  reserve(): Reservation {
    return this.room();
  }

  reserveToWait(): Reservation {
    return this.room();
  }

  reserveBeyondLimit(): Reservation {
    return this.room();
  }

  override unreserve(): void {}

  /** The process ends with its link. */
  protected override onLost(): void {}
}
