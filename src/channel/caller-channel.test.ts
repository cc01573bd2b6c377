import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Answers, type Ending, Link, RecordedCall, turn } from '../../test/support/link.ts';
import { REPLICA_STATE, RESERVED } from '../load/load-table.ts';
import { ReplicaHashTable } from '../load/replica-hashes.ts';
import { batchTime, now } from '../time/clock.ts';
import { loop } from '../time/loop.ts';
import { MARK } from '../values/marks.ts';
import { onReviveHandle } from '../values/revive.ts';
import { NO_ENCODING, transfer } from '../values/transfer.ts';
import type { ChannelCall } from './channel-call.ts';
import { CANCEL_CODE, METHOD_HTTP } from './frames.ts';
import type { InboundCall, InboundListener } from './inbound-call.ts';
import { HTTP_METHOD_NAME } from './method-names.ts';

/** A link whose replica answers each call with its arguments. */
function echo(limit?: number): Link {
  const link: Link = new Link((call) => new Answers().result(call, call.args), limit);
  return link;
}

/** A link whose replica is a relay to another instance. */
function relay(pass: (call: ChannelCall) => void): Link {
  return new Link((call) => pass(call as ChannelCall), undefined, undefined, new ReplicaHashTable());
}

/** A link whose replica only listens. */
function silent(heard: unknown[] = []): Link {
  const listener: InboundListener = {
    cancelled: (code) => heard.push(['cancelled', code]),
    credited: (chunks) => heard.push(['credited', chunks]),
    uploaded: (value, bytes) => heard.push(['uploaded', value, bytes]),
    uploadEnded: () => heard.push(['uploadEnded']),
    refused: (error) => heard.push(['refused', error.message]),
  };
  return new Link((call) => {
    call.listener = listener;
  });
}

const result = (value: unknown): Ending => ({ type: 'result', value });

/** A call whose memory is moved away behind its back, after it was captured. */
function uncloneable(): RecordedCall {
  const bytes = new Uint8Array(8);
  const call = new RecordedCall('first', [transfer(bytes, [bytes.buffer])]);
  bytes.buffer.transfer();
  return call;
}

test('a relay to another instance moves the memory of a call, unless the call may be repeated', async () => {
  for (const [isRelay, isIdempotent] of [
    [false, true],
    [true, false],
    [true, true],
  ] as const) {
    await using link = isRelay ? relay(() => {}) : echo();
    const call = new RecordedCall('first', [new Uint8Array(100_000)]);
    Object.defineProperty(call, 'isIdempotent', { value: isIdempotent });
    link.send(call);
    loop.flush();
    expect(call.transfer?.[0]?.detached).toBe(!(isRelay && isIdempotent));
  }
});

test('a relay whose endpoint is gone gives calls back that it had not read, with their memory', async () => {
  await using link = relay((call) => call.returned());
  const call = new RecordedCall('first', [new Uint8Array(100_000).fill(7)]);
  link.send(call);
  loop.flush();
  link.caller.close(new Error('the instance is gone'));
  // The route lets go of the channel at once.
  await link.gone;
  expect(call.endings).toEqual([]);
  await call.over;
  expect(call.endings).toEqual([{ type: 'orphaned', started: false, error: undefined }]);
  expect((call.args[0] as Uint8Array)[99_999]).toBe(7);
});

describe('places', () => {
  test('are taken up to the limit, and given back', async () => {
    await using link = echo(2);
    const { caller, load } = link;
    expect([caller.reserve(0), caller.reserve(0), caller.reserve(0)]).toEqual([
      RESERVED.ok,
      RESERVED.ok,
      RESERVED.full,
    ]);
    expect([caller.ongoing, caller.free]).toEqual([2, 0]);
    expect(caller.reserveBeyondLimit()).toBe(RESERVED.ok);
    expect(caller.free).toBe(0);
    for (let place = 0; place < 3; place++) caller.unreserve();
    expect([caller.ongoing, caller.free, link.ledger.reserved]).toEqual([0, 2, 0]);
    load.setState(REPLICA_STATE.draining);
    expect([caller.reserve(0), caller.reserveBeyondLimit()]).toEqual([RESERVED.gone, RESERVED.gone]);
  });

  test('may be free again after each batch of answers: the route is told', async () => {
    await using link = echo();
    await link.send(new RecordedCall('first', [])).over;
    expect(link.freed).toBe(1);
  });
});

test('ids are used again: a table of open calls is as long as there are calls at a time', async () => {
  await using link = echo();
  for (let round = 0; round < 20; round++) {
    await Promise.all([1, 2, 3].map((value) => link.send(new RecordedCall('first', [value])).over));
  }
  expect(link.replica.open).toHaveLength(3);
});

test('a call reaches the method of its name, and HTTP the ingress', async () => {
  await using link = echo();
  const calls = ['first', 'second', HTTP_METHOD_NAME].map((method) =>
    link.send(new RecordedCall(method, [1])),
  );
  for (const call of calls) expect(await call.over).toEqual(result([1]));
  expect(link.begun.map(({ method }) => method)).toEqual([0, 1, METHOD_HTTP]);
});

test('an unknown method fails now, naming those there are, and its place is free again', async () => {
  await using link = echo();
  const before = now();
  const call = link.send(new RecordedCall('third', []));
  expect(call.endings).toMatchObject([
    {
      type: 'failed',
      error: {
        code: 'SERVE_UNKNOWN_METHOD',
        message: "there is no method 'third'; available methods: first, second",
      },
    },
  ]);
  expect(link.load.ongoing).toBe(0);
  // Calls are timed by the batch they end in: this one must not end in a batch of long ago.
  expect(batchTime).toBeGreaterThanOrEqual(before);
});

test('meta and deadline ride along', async () => {
  await using link = echo();
  const call = new RecordedCall('first', [Buffer.from('b')]);
  Object.assign(call, { meta: { requestId: 'r', tenant: 't' }, expiresAt: 1_234.2, number: 77 });
  expect(await link.send(call).over).toEqual(result([Buffer.from('b')]));
  expect(link.begun[0]).toMatchObject({ meta: { requestId: 'r', tenant: 't' }, deadline: 1_235, number: 77 });
});

describe('a call that cannot be cloned', () => {
  test('fails alone, and gives its place back', async () => {
    await using link = echo();
    const before = link.send(new RecordedCall('first', ['before']));
    const bad = link.send(uncloneable());
    const after = link.send(new RecordedCall('first', ['after']));
    expect(await before.over).toEqual(result(['before']));
    expect(await after.over).toEqual(result(['after']));
    expect(bad.endings).toMatchObject([{ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } }]);
    expect(link.begun).toHaveLength(2);
    expect(link.load.ongoing).toBe(0);
  });

  test('fails alone also as the only one of its batch, and the route hears of the place', async () => {
    await using link = echo();
    expect(await link.send(uncloneable()).over).toMatchObject({ type: 'failed' });
    expect(link.load.ongoing).toBe(0);
    expect(link.freed).toBe(1);
    expect(await link.send(new RecordedCall('first', [1])).over).toEqual(result([1]));
  });

  test('does not count as started, nor make others seem so', async () => {
    const link = echo();
    const calls = [new RecordedCall('first', [1]), uncloneable(), new RecordedCall('first', [2])];
    for (const call of calls) link.send(call);
    await turn();
    // Posted, not yet begun.
    const closed = link.closed();
    link.caller.close(undefined);
    expect(calls[0]?.endings).toEqual([{ type: 'orphaned', started: false, error: undefined }]);
    expect(calls[2]?.endings).toEqual([{ type: 'orphaned', started: false, error: undefined }]);
    await closed;
    expect(link.begun).toEqual([]);
    expect(link.load.ongoing).toBe(0);
  });

  test('nor makes those that started seem not to have', async () => {
    const link = silent();
    const calls = [new RecordedCall('first', [1]), uncloneable(), new RecordedCall('first', [2])];
    for (const call of calls) link.send(call);
    while (link.begun.length < 2) await turn();
    calls.push(link.send(new RecordedCall('first', [3])));
    link.caller.close(undefined);
    const started = [0, 2, 3].map((index) => calls[index]?.endings[0]);
    expect(started).toMatchObject([{ started: true }, { started: true }, { started: false }]);
  });

  test('the same memory in two calls of a batch: the first one gets it', async () => {
    await using link = echo();
    const bytes = Uint8Array.of(1, 2, 3);
    const calls = [0, 1].map(() => link.send(new RecordedCall('first', [transfer(bytes, [bytes.buffer])])));
    expect(await calls[0]?.over).toEqual(result([Uint8Array.of(1, 2, 3)]));
    expect(await calls[1]?.over).toMatchObject({ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } });
    expect(link.load.ongoing).toBe(0);
  });
});

describe('a cancelled call', () => {
  test('keeps its id until its last frame: no other call gets its answer', async () => {
    const heard: unknown[] = [];
    await using link = silent(heard);
    const answers = new Answers();
    const cancelled = link.send(new RecordedCall('first', ['cancelled']));
    while (link.begun.length === 0) await turn();
    link.caller.cancel(cancelled, CANCEL_CODE.timeout);
    const next = link.send(new RecordedCall('first', ['next']));
    while (link.begun.length < 2) await turn();
    expect(heard).toEqual([['cancelled', CANCEL_CODE.timeout]]);
    answers.error(link.begun[0] as InboundCall, new Error('late'));
    answers.result(link.begun[1] as InboundCall, 'for the next');
    expect(await next.over).toEqual(result('for the next'));
    expect(await cancelled.over).toMatchObject({ type: 'failed', error: { message: 'late' } });
    // Now its id may be used again.
    const third = link.send(new RecordedCall('first', ['third']));
    while (link.begun.length < 3) await turn();
    answers.result(link.begun[2] as InboundCall, 'for the third');
    expect(await third.over).toEqual(result('for the third'));
    expect([cancelled.endings, next.endings, third.endings].map(({ length }) => length)).toEqual([1, 1, 1]);
  });

  test('that has not begun never does: its place and its id are free at once', async () => {
    await using link = silent();
    const call = link.send(new RecordedCall('first', []));
    await turn();
    // Its message is on its way.
    link.caller.cancel(call, CANCEL_CODE.cancelled);
    expect([call.slot, link.load.ongoing, link.ledger.reserved, link.freed]).toEqual([-1, 0, 0, 1]);
    const next = link.send(new RecordedCall('second', []));
    expect(next.slot).toBe(0);
    while (link.begun.length === 0) await turn();
    new Answers().result(link.begun[0] as InboundCall, 'for the next');
    expect(await next.over).toEqual(result('for the next'));
    expect(link.begun.map(({ method }) => method)).toEqual([1]);
    expect(call.endings).toEqual([]);
  });

  test('that is over already is not mentioned', async () => {
    const heard: unknown[] = [];
    await using link = silent(heard);
    const call = link.send(new RecordedCall('first', []));
    while (link.begun.length === 0) await turn();
    new Answers().result(link.begun[0] as InboundCall, 1);
    await call.over;
    link.caller.cancel(call, CANCEL_CODE.cancelled);
    link.caller.credit(call, 1);
    link.caller.upload(call, 'chunk', NO_ENCODING);
    link.caller.endUpload(call);
    // The id is another call's now.
    const next = link.send(new RecordedCall('first', []));
    while (link.begun.length < 2) await turn();
    new Answers().result(link.begun[1] as InboundCall, 2);
    expect(await next.over).toEqual(result(2));
    expect(heard).toEqual([]);
  });
});

test('uploads, their end, credit and cancellation reach the call in order', async () => {
  const heard: unknown[] = [];
  await using link = silent(heard);
  const call = link.send(new RecordedCall('first', []));
  const bytes = Uint8Array.of(1, 2);
  link.caller.upload(call, bytes, { marks: undefined, transfer: [bytes.buffer], bytes: 2 });
  link.caller.credit(call, 3);
  link.caller.endUpload(call);
  while (link.begun.length === 0) await turn();
  link.caller.cancel(call, CANCEL_CODE.cancelled);
  while (heard.length < 4) await turn();
  expect(heard).toEqual([
    ['uploaded', Uint8Array.of(1, 2), 2],
    ['credited', 3],
    ['uploadEnded'],
    ['cancelled', CANCEL_CODE.cancelled],
  ]);
  link.begun[0]?.credit(2);
  while (call.credits === 0) await turn();
  expect(call.credits).toBe(2);
});

test('an upload that cannot be cloned fails the call and stops the replica', async () => {
  const heard: unknown[] = [];
  await using link = silent(heard);
  const call = link.send(new RecordedCall('first', []));
  while (link.begun.length === 0) await turn();
  link.caller.upload(call, () => {}, NO_ENCODING);
  expect(await call.over).toMatchObject({ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } });
  while (heard.length === 0) await turn();
  expect(heard).toEqual([['cancelled', CANCEL_CODE.cancelled]]);
});

describe('an answer that cannot be read', () => {
  // As on a thread without a router, whatever other tests of this process have registered.
  let before: ReturnType<typeof onReviveHandle>;
  beforeAll(() => {
    before = onReviveHandle(() => {
      throw new TypeError('a handle cannot be used here');
    });
  });
  afterAll(() => {
    onReviveHandle(before);
  });

  const handle = { instance: 'i', app: 'a', deployment: 'd', options: {} };
  const encoded = { marks: [handle, MARK.handle], transfer: undefined, bytes: 0 };

  test('fails its own call only', async () => {
    await using link = silent();
    const calls = [0, 1].map(() => link.send(new RecordedCall('first', [])));
    while (link.begun.length < 2) await turn();
    link.begun[0]?.result({ handle }, encoded);
    new Answers().result(link.begun[1] as InboundCall, 'fine');
    expect(await calls[1]?.over).toEqual(result('fine'));
    expect(calls[0]?.endings).toMatchObject([{ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } }]);
  });

  test('ends the stream it is in', async () => {
    const heard: unknown[] = [];
    await using link = silent(heard);
    const call = link.send(new RecordedCall('first', []));
    while (link.begun.length === 0) await turn();
    link.begun[0]?.open(undefined, NO_ENCODING);
    link.begun[0]?.chunk({ handle }, encoded);
    expect(await call.over).toMatchObject({ type: 'failed' });
    while (heard.length === 0) await turn();
    expect(heard).toEqual([['cancelled', CANCEL_CODE.cancelled]]);
  });

  test('and whose call nobody knows fails all that are open; later ones work', async () => {
    const heard: unknown[] = [];
    await using link = silent(heard);
    const calls = [0, 1].map(() => link.send(new RecordedCall('first', [])));
    while (link.begun.length < 2) await turn();
    link.callerPort.emit('messageerror', new RangeError('Maximum call stack size exceeded'));
    for (const call of calls) {
      expect(await call.over).toMatchObject({
        type: 'failed',
        error: {
          code: 'SERVE_NOT_SERIALIZABLE',
          message: 'first: an answer of the replica could not be read',
        },
      });
    }
    while (heard.length < 2) await turn();
    const next = link.send(new RecordedCall('first', []));
    while (link.begun.length < 3) await turn();
    new Answers().result(link.begun[2] as InboundCall, 'fine');
    expect(await next.over).toEqual(result('fine'));
  });
});
