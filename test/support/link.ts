import { once } from 'node:events';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { CallIntake } from '../../src/channel/call-intake.ts';
import { CallerChannel } from '../../src/channel/caller-channel.ts';
import type { InboundCall } from '../../src/channel/inbound-call.ts';
import { LinkLedger } from '../../src/channel/link-ledger.ts';
import { OutboundCall } from '../../src/channel/outbound-call.ts';
import { PortTransport } from '../../src/channel/port-transport.ts';
import { ReplicaChannel } from '../../src/channel/replica-channel.ts';
import { DeploymentLoad } from '../../src/load/deployment-load.ts';
import { HoldingMeter } from '../../src/load/holding-meter.ts';
import { REPLICA_STATE, RESERVED, ReplicaLoad } from '../../src/load/load-table.ts';
import type { ReplicaHashTable } from '../../src/load/replica-hashes.ts';
import { ReplicaTally } from '../../src/load/replica-tally.ts';
import { EventLoop } from '../../src/time/loop.ts';
import { Capture, RESULT } from '../../src/values/capture.ts';

export type Ending =
  | { type: 'result'; value: unknown }
  | { type: 'failed'; error: unknown }
  | { type: 'ended' }
  | { type: 'orphaned'; started: boolean; error: unknown };

let numbers = 0;

/** A call that writes down what its channel tells it. */
export class RecordedCall extends OutboundCall {
  readonly callerName = 'test';
  readonly sentAt = 0;
  readonly chunks: unknown[] = [];
  /** One, or something is wrong. */
  readonly endings: Ending[] = [];
  head: unknown = undefined;
  isOpen = false;
  credits = 0;
  readonly #over = Promise.withResolvers<Ending>();

  constructor(method: string, args: readonly unknown[]) {
    super();
    this.method = method;
    this.number = ++numbers;
    this.recapture(args);
  }

  /** Resolves with how it ended. */
  get over(): Promise<Ending> {
    return this.#over.promise;
  }

  recapture(args: readonly unknown[]): void {
    const capture = new Capture();
    this.args = args.map((arg, index) => capture.take(arg, this.method, index));
    this.marks = capture.marks;
    this.transfer = capture.transfer;
    this.bytes = capture.bytes;
  }

  override succeeded(value: unknown): void {
    this.#end({ type: 'result', value });
  }

  override failed(error: unknown): void {
    this.#end({ type: 'failed', error });
  }

  override opened(head: unknown): void {
    this.isOpen = true;
    this.head = head;
  }

  override chunk(value: unknown): void {
    this.chunks.push(value);
  }

  override ended(): void {
    this.#end({ type: 'ended' });
  }

  override credited(chunks: number): void {
    this.credits += chunks;
  }

  override orphaned(started: boolean, error: unknown): void {
    this.#end({ type: 'orphaned', started, error });
  }

  override expire(): void {}

  #end(ending: Ending): void {
    this.endings.push(ending);
    this.#over.resolve(ending);
  }
}

/** All calls are quick, however busy the machine is. */
class QuickMeter extends HoldingMeter {
  constructor() {
    super();
    this.holding.observe(0.01, 1);
  }

  override turned(): void {}
}

/** Both ends of a channel between a caller and a replica, on one thread. */
export class Link {
  readonly load = new ReplicaLoad();
  readonly ledger = new LinkLedger();
  readonly caller: CallerChannel;
  readonly replica: ReplicaChannel;
  readonly callerPort: MessagePort;
  readonly replicaPort: MessagePort;
  /** Calls that the replica began, in order. */
  readonly begun: InboundCall[] = [];
  freed = 0;
  drained = 0;
  readonly intake: CallIntake;
  readonly #gone = Promise.withResolvers<void>();

  /**
   * @param meter says how calls hold the loop of the replica
   * @param replicaHashes of the replicas of another instance, to which the replica is a relay
   */
  constructor(
    begin: (call: InboundCall) => void,
    limit = 1_000,
    meter: HoldingMeter = new QuickMeter(),
    replicaHashes?: ReplicaHashTable,
  ) {
    const { port1, port2 } = new MessageChannel();
    this.callerPort = port1;
    this.replicaPort = port2;
    this.load.limit = limit;
    this.load.setOpen(limit, 0);
    this.load.setState(REPLICA_STATE.ready);
    const methods = new Map([
      ['first', 0],
      ['second', 1],
    ]);
    this.caller = new CallerChannel(
      new PortTransport(port1),
      this.ledger,
      { load: this.load, tally: new ReplicaTally(), methods, replicaHashes },
      this.#gone.resolve,
    );
    this.caller.onFreed(() => this.freed++);
    this.intake = new CallIntake(
      this.load,
      new DeploymentLoad(),
      () => this.drained++,
      () => limit,
      new EventLoop(),
      meter,
    );
    this.replica = new ReplicaChannel(
      'test',
      new PortTransport(port2),
      new LinkLedger(this.ledger.shared),
      this.intake,
      (call) => {
        this.begun.push(call);
        begin(call);
      },
      () => {},
    );
  }

  /** Resolves when the caller's end says that nothing can be sent any more. */
  get gone(): Promise<void> {
    return this.#gone.promise;
  }

  /** Reserves and sends. */
  send(call: RecordedCall): RecordedCall {
    if (this.caller.reserveBeyondLimit() !== RESERVED.ok) throw new Error('no place was free');
    this.caller.send(call);
    return call;
  }

  /** Resolves when both ends know that the link is closed. */
  async closed(): Promise<void> {
    await once(this.replicaPort, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    const closed = this.closed();
    this.caller.close(undefined);
    this.callerPort.close();
    return closed;
  }
}

/** Answers as a replica does. */
export class Answers {
  result(call: InboundCall, value: unknown): void {
    const capture = new Capture();
    const captured = capture.take(value, 'answer', RESULT);
    call.result(captured, capture);
  }

  error(call: InboundCall, error: unknown): void {
    const capture = new Capture();
    const captured = capture.take(error, 'answer', RESULT);
    call.error(captured, capture);
  }

  chunk(call: InboundCall, value: unknown): void {
    const capture = new Capture();
    call.chunk(capture.take(value, 'answer', RESULT), capture);
  }

  end(call: InboundCall): void {
    call.end();
  }
}

/** One turn of the event loop, so that what is collected is posted. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
