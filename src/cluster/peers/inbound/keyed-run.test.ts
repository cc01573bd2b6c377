import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { FakeReplica } from '../../../../test/support/routing/fake-replica.ts';
import { Harness } from '../../../../test/support/routing/route-harness.ts';
import { CANCEL_CODE } from '../../../channel/frames.ts';
import { now } from '../../../time/clock.ts';
import { ServedDeployment } from '../served-deployment.ts';
import { type AnsweredCall, InboundPeerCall } from './inbound-call.ts';
import { KeyedPeerCall } from './keyed-call.ts';

/** More bytes than are hashed at once. */
const MANY_BYTES = 5_000_000;

interface Answer {
  readonly how: 'result' | 'error' | 'lost' | 'given back';
  readonly value?: unknown;
}

/** A call of a peer that writes down what its link would hear. */
class Recorded {
  readonly key: string;
  readonly argument: unknown;
  readonly call: KeyedPeerCall;
  readonly answers: Answer[] = [];
  readonly #over = Promise.withResolvers<Answer>();
  /** Whether the call waits here for a place, as windows count it. */
  #isLanded = true;

  constructor(served: Served, id: number, key: string, argument: unknown, deadlineAt: number) {
    this.key = key;
    this.argument = argument;
    const unexpected = (): never => {
      throw new Error('only the execution is sent');
    };
    const { route } = served.harness;
    const model = new InboundPeerCall(route, 'call', id, {
      result: unexpected,
      error: unexpected,
      open: unexpected,
      chunk: unexpected,
      end: unexpected,
      credit: unexpected,
      lost: unexpected,
      givenBack: unexpected,
      begun: unexpected,
      takenBack: unexpected,
    });
    model.args = [argument];
    model.meta = { idempotencyKey: key };
    this.call = new KeyedPeerCall(
      model,
      {
        result: (call, value) => this.#end(call, { how: 'result', value }),
        error: (call, value) => this.#end(call, { how: 'error', value }),
        lost: (call) => this.#end(call, { how: 'lost' }),
        givenBack: (call) => this.#end(call, { how: 'given back' }),
        begun: () => this.#land(false),
        takenBack: () => this.#land(true),
      },
      deadlineAt,
    );
    served.deployment.keyed.take(this.call, key);
  }

  get over(): Promise<Answer> {
    return this.#over.promise;
  }

  /** The caller gives the call up, unless it has its answer. */
  cancel(): void {
    if (this.answers.length === 0) this.call.cancelled(CANCEL_CODE.cancelled);
  }

  #land(isLanded: boolean): void {
    expect(this.#isLanded).toBe(!isLanded);
    expect(this.answers).toEqual([]);
    this.#isLanded = isLanded;
  }

  #end({ hasBegun }: AnsweredCall, answer: Answer): void {
    expect(hasBegun).toBe(!this.#isLanded);
    this.answers.push(answer);
    this.#over.resolve(answer);
  }
}

/** A deployment that peers call with keys. */
class Served {
  readonly harness = new Harness();
  readonly deployment = new ServedDeployment(this.harness.route, new Map(), this.harness.route.config, -1);
  readonly calls: Recorded[] = [];

  call(key: string, argument: unknown, leftMs?: number): Recorded {
    const deadlineAt = leftMs === undefined ? 0 : now() + leftMs;
    const call = new Recorded(this, this.calls.length, key, argument, deadlineAt);
    this.calls.push(call);
    return call;
  }
}

test('a call whose arguments are hashed while the last replica goes is given back', async () => {
  const served = new Served();
  const replica = served.harness.start();
  const call = served.call('key', new Uint8Array(MANY_BYTES));
  served.harness.kill(replica, 0);
  served.deployment.giveBack();
  expect(call.answers).toEqual([]);
  expect(await call.over).toEqual({ how: 'given back' });
});

test('a call that is cancelled while its arguments are hashed does not run, and those with its key do', async () => {
  const served = new Served();
  const replica = served.harness.start();
  const [first, second] = [0, 1].map(() => served.call('key', new Uint8Array(MANY_BYTES)));
  first?.call.cancelled(CANCEL_CODE.cancelled);
  expect(await first?.over).toMatchObject({ how: 'error', value: { code: 'SERVE_CANCELLED' } });
  await vi.waitUntil(() => replica.open.length > 0);
  expect(replica.open).toHaveLength(1);
  replica.answer(replica.open[0], (call) => call.succeeded(1));
  expect(await second?.over).toEqual({ how: 'result', value: 1 });
});

test('calls with one key share the memory of a result, which links only read; so do calls that come later', async () => {
  const served = new Served();
  const replica = served.harness.start();
  const waiting = [0, 1, 2].map(() => served.call('key', 1));
  const bytes = new Uint8Array(1_048_576);
  replica.answer(replica.open[0], (call) => call.succeeded({ bytes }));
  const late = served.call('key', 1);
  for (const call of [...waiting, late]) {
    const { how, value } = await call.over;
    expect(how).toBe('result');
    expect((value as { bytes: Uint8Array }).bytes).toBe(bytes);
  }
  expect(bytes.byteLength).toBe(1_048_576);
});

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('call' as const),
      key: fc.constantFrom('k', 'l'),
      argument: fc.constantFrom(1, 1, 1, 2),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constantFrom('cancel' as const, 'expire' as const),
      which: fc.nat(99),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constantFrom(
        'succeed' as const,
        'fail' as const,
        'stick' as const,
        'begun dies' as const,
        'dies' as const,
      ),
      which: fc.nat(9),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('start' as const) }) },
);

describe('calls with keys, whatever happens,', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  test('end once, with a result of their key and arguments, and hold no place in the end', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const served = new Served();
        const { harness, deployment, calls } = served;
        const alive = (): FakeReplica[] => harness.replicas.filter(({ isClosed }) => !isClosed);
        const kill = (replica: FakeReplica | undefined, started: number): void => {
          if (replica === undefined) return;
          harness.kill(replica, started);
          deployment.giveBack();
        };
        const succeed = (replica: FakeReplica | undefined, open = replica?.open[0]): void =>
          replica?.answer(open, (call) => {
            call.succeeded({ of: call.args[0], key: call.meta?.idempotencyKey, bytes: new Uint8Array(20) });
          });
        for (const one of steps) {
          const replica = 'which' in one ? alive()[one.which % Math.max(1, alive().length)] : undefined;
          switch (one.type) {
            case 'call':
              if (alive().length > 0) served.call(one.key, one.argument);
              break;
            case 'cancel':
              calls[one.which % Math.max(1, calls.length)]?.cancel();
              break;
            case 'expire':
              calls[one.which % Math.max(1, calls.length)]?.call.expire();
              break;
            case 'succeed':
              succeed(replica);
              break;
            case 'fail':
              replica?.answer(replica.open[0], (call) => call.failed(new RangeError('no')));
              break;
            case 'stick':
              if (replica === undefined) break;
              replica.isStuck = true;
              for (const call of replica.open) replica.unbegun.add(call);
              harness.route.tend(now());
              replica.isStuck = false;
              break;
            case 'begun dies':
              kill(replica, 1);
              break;
            case 'dies':
              kill(replica, 0);
              break;
            case 'start':
              if (alive().length < 3) harness.start();
          }
          // A call that is given up holds its place until the replica has ended it, and may run beside its successor.
          for (const key of ['k', 'l']) {
            const running = alive().flatMap(({ open, cancelled }) =>
              open.filter((call) => !cancelled.has(call) && call.meta?.idempotencyKey === key),
            );
            expect(running.length).toBeLessThanOrEqual(1);
          }
        }
        for (let left = alive(); left.some(({ open }) => open.length > 0); left = alive())
          for (const replica of left) succeed(replica);
        for (const replica of alive()) kill(replica, 0);
        for (const { answers, argument, key } of calls) {
          expect(answers).toHaveLength(1);
          const [{ how, value }] = answers as [Answer];
          if (how === 'result') expect(value).toEqual({ of: argument, key, bytes: new Uint8Array(20) });
        }
        expect(harness.route.queued).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});
