import { DeploymentLoad } from '../../../load/deployment-load.ts';
import { QUICK_MS } from '../../../load/holding-time.ts';
import { REPLICA_STATE, ReplicaLoad } from '../../../load/load-table.ts';
import type { CallTally } from '../../../load/replica-tally.ts';
import { type Collector, type EventLoop, loop } from '../../../time/loop.ts';
import type { ChildLink } from './child-link.ts';
import { writeState } from './child-messages.ts';

/**
 * Amount of work of quick calls that may be on its way to the child, in ms: the way is longer than to a thread, and calls
 * that wait for room are woken up once more.
 */
const QUICK_AHEAD_MS = 5;

/**
 * Reports the state of the child's event loop and calls to the replica's thread, which writes it to the load table. The
 * state goes with the answers; alone it goes only at the end of a turn in which calls came and no answer left, or in which the
 * child opened for more calls.
 */
export class StateReporter implements Collector, CallTally {
  readonly load: ReplicaLoad;
  readonly deploymentLoad: DeploymentLoad;
  #isObserved = false;
  readonly #link: ChildLink;
  readonly #loop: EventLoop;
  #arrived = 0;
  #open = 1;
  #whileHeld = 0;
  #room = 1;
  #roomWhileHeld = 0;
  #calls = 0;
  #failures = 0;
  #durations: number[] = [];
  #isChanged = false;
  #isAwaited = false;

  constructor(link: ChildLink, maxOngoingRequests: number, eventLoop: EventLoop = loop) {
    this.#link = link;
    this.#loop = eventLoop;
    this.load = new OwnLoad(this, maxOngoingRequests);
    this.deploymentLoad = new DeploymentLoad();
    link.takeState = () => (this.#isChanged ? this.#take() : undefined);
  }

  get isObserved(): boolean {
    return this.#isObserved;
  }

  /** The host has changed the tables of the replica. */
  configure(isObserved: boolean, limit: number): void {
    this.#isObserved = isObserved;
    this.load.limit = limit;
    this.opened(this.#open, this.#whileHeld);
  }

  /** A call has arrived, and takes a place. */
  arrived(): void {
    this.load.reserveBeyondLimit(LEDGER);
    this.#arrived++;
    this.#isChanged = true;
    this.#await();
  }

  /** The child is open for this many calls. */
  opened(open: number, whileHeld: number): void {
    this.#open = open;
    this.#whileHeld = whileHeld;
    const room = this.#roomFor(open);
    const roomWhileHeld = this.#roomFor(whileHeld);
    if (room === this.#room && roomWhileHeld === this.#roomWhileHeld) return;
    this.#room = room;
    this.#roomWhileHeld = roomWhileHeld;
    this.#isChanged = true;
    this.#await();
  }

  /** Number of further calls. Rounded, so that the number stays the same while quick calls come and go. */
  #roomFor(open: number): number {
    const { ongoing, limit, meanHoldingMs } = this.load;
    const isQuick = meanHoldingMs > 0 && meanHoldingMs < QUICK_MS;
    const least = isQuick ? Math.floor(QUICK_AHEAD_MS / meanHoldingMs) : 0;
    const room = Math.min(Math.max(open - ongoing, least), limit);
    return room <= 1 ? Math.max(0, room) : 2 ** Math.floor(Math.log2(room));
  }

  record(isFailure: boolean, durationMs: number | undefined): void {
    this.#calls++;
    if (isFailure) this.#failures++;
    else if (durationMs !== undefined) this.#durations.push(durationMs);
    this.#isChanged = true;
  }

  /** The ticker of the event loop turned: the state is reported whether it has changed or not. */
  ticked(): void {
    this.#link.postState(this.#take());
  }

  flush(): void {
    this.#isAwaited = false;
    // Answers of this turn may leave next, and take the state along.
    queueMicrotask(() => {
      if (this.#isChanged) this.#link.postState(this.#take());
    });
  }

  #await(): void {
    if (this.#isAwaited) return;
    this.#isAwaited = true;
    this.#loop.collect(this);
  }

  #take(): number[] {
    const durations = this.#durations;
    this.#durations = [];
    this.#isChanged = false;
    const { load } = this;
    return writeState({
      arrived: this.#arrived,
      room: this.#room,
      roomWhileHeld: this.#roomWhileHeld,
      beats: load.beats,
      utilization: load.utilization,
      meanHoldingMs: load.meanHoldingMs,
      calls: this.#calls,
      failures: this.#failures,
      durations,
    });
  }
}

/** No caller in this process reserves places. */
const LEDGER = { words: new Int32Array(16) };

/** The load table of the child alone. */
class OwnLoad extends ReplicaLoad {
  readonly #reporter: StateReporter;

  constructor(reporter: StateReporter, limit: number) {
    super();
    this.#reporter = reporter;
    this.limit = limit;
    this.setState(REPLICA_STATE.ready);
  }

  override setOpen(open: number, whileHeld: number): boolean {
    this.#reporter.opened(open, whileHeld);
    return super.setOpen(open, whileHeld);
  }

  override beat(at: number): void {
    super.beat(at);
    this.#reporter.ticked();
  }
}
