import { expect, test } from 'vitest';
import { Answers, RecordedCall, turn } from '../../test/support/link.ts';
import { DeploymentLoad } from '../load/deployment-load.ts';
import { ReplicaLoad } from '../load/load-table.ts';
import { CallIntake } from './call-intake.ts';
import { CallerEnd } from './caller-end.ts';
import { CANCEL_CODE, type CancelCode } from './frames.ts';
import type { InboundCall, InboundListener } from './inbound-call.ts';
import { ReplicaChannel } from './replica-channel.ts';
import { NO_LEDGER } from './start-ledger.ts';
import type { FrameTransport } from './transport.ts';

/** One end of a connection, such as a socket: messages are copied and take a turn, and nothing is shared. */
class PipeEnd implements FrameTransport {
  other: PipeEnd | undefined = undefined;
  isRefed = true;
  readonly #arrived: unknown[][] = [];
  #onFrames: (frames: unknown[]) => void = () => {};
  #onClosed: () => void = () => {};
  #isClosed = false;

  post(frames: readonly unknown[]): void {
    const copy = structuredClone([...frames]);
    const { other } = this;
    if (other === undefined) return;
    other.#arrived.push(copy);
    setImmediate(() => other.#deliver());
  }

  #deliver(): void {
    for (const frames of this.takeRest()) this.#onFrames(frames);
  }

  onFrames(listener: (frames: unknown[]) => void): void {
    this.#onFrames = listener;
  }

  onUnreadable(): void {}

  onClosed(listener: () => void): void {
    this.#onClosed = listener;
  }

  *takeRest(): Generator<unknown[]> {
    for (let next = this.#arrived.shift(); next !== undefined; next = this.#arrived.shift()) yield next;
  }

  ref(): void {
    this.isRefed = true;
  }

  unref(): void {
    this.isRefed = false;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.other?.close();
    this.#onClosed();
  }
}

class PipeCaller extends CallerEnd {
  returned = 0;

  override unreserve(): void {
    this.returned++;
  }

  protected override onLost(): void {
    this.close(new Error('the connection broke'));
  }
}

/** Both ends of a channel over a pipe. */
function piped(begin: (call: InboundCall) => void): {
  caller: PipeCaller;
  replica: ReplicaChannel;
  near: PipeEnd;
  far: PipeEnd;
} {
  const [near, far] = [new PipeEnd(), new PipeEnd()];
  near.other = far;
  far.other = near;
  const load = new ReplicaLoad();
  load.limit = 10;
  const intake = new CallIntake(
    load,
    new DeploymentLoad(),
    () => {},
    () => 10,
  );
  const replica = new ReplicaChannel('test', far, NO_LEDGER, intake, begin, () => {});
  return { caller: new PipeCaller(near, NO_LEDGER, new Map([['first', 0]])), replica, near, far };
}

test('a channel works over any transport: results, failures and streams with credit', async () => {
  const answers = new Answers();
  const credits: number[] = [];
  const { caller, near } = piped((call) => {
    const [what] = call.args;
    if (what === 'fail') answers.error(call, new RangeError('no'));
    else if (what !== 'stream') answers.result(call, call.args);
    else {
      const credited = (chunks: number): void => {
        credits.push(chunks);
        answers.end(call);
      };
      call.listener = { credited } as unknown as InboundListener;
      call.open('head', { marks: undefined, transfer: undefined, bytes: 0 });
      answers.chunk(call, new Map([['a', 1]]));
    }
  });
  const [plain, failing, stream] = [['plain', 1], ['fail'], ['stream']].map((args) => {
    const call = new RecordedCall('first', args);
    caller.send(call);
    return call;
  }) as [RecordedCall, RecordedCall, RecordedCall];
  expect(await plain.over).toEqual({ type: 'result', value: ['plain', 1] });
  expect(await failing.over).toMatchObject({ type: 'failed', error: { name: 'RangeError', message: 'no' } });
  while (!stream.isOpen) await turn();
  caller.credit(stream, 1);
  expect(await stream.over).toEqual({ type: 'ended' });
  expect([stream.head, stream.chunks, credits]).toEqual(['head', [new Map([['a', 1]])], [1]]);
  expect([caller.outstanding, caller.returned, near.isRefed]).toEqual([0, 0, false]);
});

test('a call that is cancelled stays open until the other end is done with it', async () => {
  const cancelled: CancelCode[] = [];
  let answer = (): void => {};
  const { caller } = piped((call) => {
    call.listener = { cancelled: (code: CancelCode) => cancelled.push(code) } as unknown as InboundListener;
    answer = () => new Answers().result(call, 'late');
  });
  const call = new RecordedCall('first', []);
  caller.send(call);
  caller.cancel(call, CANCEL_CODE.timeout);
  while (cancelled.length === 0) await turn();
  expect([cancelled, caller.outstanding]).toEqual([[CANCEL_CODE.timeout], 1]);
  answer();
  await call.over;
  expect(caller.outstanding).toBe(0);
});

test('what was handed over counts as started when the connection breaks; answers that have arrived count first', async () => {
  const begun: InboundCall[] = [];
  const { caller, replica, far } = piped((call) => begun.push(call));
  const [answered, open] = [new RecordedCall('first', []), new RecordedCall('first', [])];
  caller.send(answered);
  caller.send(open);
  while (begun.length < 2) await turn();
  new Answers().result(begun[0] as InboundCall, 'in time');
  replica.flush();
  far.close();
  await caller.ended;
  expect(answered.endings).toEqual([{ type: 'result', value: 'in time' }]);
  expect(open.endings).toMatchObject([
    { type: 'orphaned', started: true, error: { message: 'the connection broke' } },
  ]);
});
