import type { OutboundCall } from '../../../src/channel/outbound-call.ts';
import { Heap } from '../../../src/handle/queue/binary-heap.ts';
import { seededRandom } from '../../../src/testing/random.ts';
import { machineTime, useTime } from '../../../src/time/clock.ts';
import { FakeReplica, type TestCall } from './fake-replica.ts';
import { Harness } from './route-harness.ts';

/** How a replica answers. */
export interface Answers {
  /** How long a call takes, in ms. */
  readonly ms: (call: TestCall) => number;
  /** Whether a call fails, and whose fault that is. Default: no. */
  readonly fails?: (call: TestCall) => 'unexpected' | 'expected' | undefined;
}

interface Event {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

class TimedReplica extends FakeReplica {
  answers: Answers;
  readonly #deployment: TimedDeployment;

  constructor(name: string, limit: number, answers: Answers, deployment: TimedDeployment) {
    super(name, limit);
    this.answers = answers;
    this.#deployment = deployment;
  }

  override send(call: OutboundCall): void {
    super.send(call);
    const fault = this.answers.fails?.(call as TestCall);
    this.#deployment.sent.push({ at: this.#deployment.now, replica: this, call: call as TestCall });
    this.#deployment.after(this.answers.ms(call as TestCall), () => {
      if (fault === undefined) this.answer(call, (one) => one.succeeded(0));
      else this.answer(call, (one) => one.failed(new Error(fault)), fault === 'unexpected');
    });
  }
}

/** One caller thread of a deployment whose replicas answer by a clock that jumps from one event to the next. */
export class TimedDeployment implements Disposable {
  readonly harness: Harness;
  readonly random: () => number;
  now = 0;
  /** Calls in the order in which they were sent. */
  readonly sent: { readonly at: number; readonly replica: TimedReplica; readonly call: TestCall }[] = [];
  readonly #events = new Heap<Event>((a, b) => (a.at === b.at ? a.order < b.order : a.at < b.at));
  #planned = 0;
  readonly #time: Disposable;

  constructor(seed: number, maxQueued = -1) {
    this.random = seededRandom(seed);
    this.#time = useTime({ ...machineTime, now: () => this.now, random: this.random });
    this.harness = new Harness({}, maxQueued);
    this.#every(50, () => this.harness.route.queued > 0 && this.harness.route.tend(this.now));
  }

  start(answers: Answers, limit = 16): TimedReplica {
    const { replicas } = this.harness;
    const replica = new TimedReplica(`r${replicas.length}`, limit, answers, this);
    replicas.push(replica);
    this.harness.route.add(replica.endpoint);
    return replica;
  }

  after(ms: number, run: () => void): void {
    this.#events.push({ at: this.now + ms, order: this.#planned++, run });
  }

  /** Calls come at random (Poisson). @param session of the next call */
  run(forMs: number, perSecond: number, session: () => string | undefined = () => undefined): void {
    const end = this.now + forMs;
    const arrive = (): void => {
      if (this.now >= end) return;
      const of = session();
      this.harness.call(of === undefined ? {} : { session: of });
      this.after(this.exponential(1_000 / perSecond), arrive);
    };
    this.after(this.exponential(1_000 / perSecond), arrive);
    this.rest(forMs);
  }

  /** Time passes, and no call comes. */
  rest(forMs: number): void {
    const end = this.now + forMs;
    for (
      let event = this.#events.peek();
      event !== undefined && event.at <= end;
      event = this.#events.peek()
    ) {
      this.#events.pop();
      this.now = event.at;
      event.run();
    }
    this.now = end;
  }

  exponential(mean: number): number {
    return -Math.log(1 - this.random()) * mean;
  }

  /** Share of the calls of that time that were sent to a replica. */
  share(replica: FakeReplica, since: number, until = Infinity): number {
    const calls = this.sent.filter(({ at }) => at >= since && at < until);
    return calls.filter((sent) => sent.replica === replica).length / calls.length;
  }

  /** Lets every call end. */
  [Symbol.dispose](): void {
    this.rest(60_000);
    this.#time[Symbol.dispose]();
  }

  #every(ms: number, run: () => void): void {
    this.after(ms, () => {
      run();
      this.#every(ms, run);
    });
  }
}
