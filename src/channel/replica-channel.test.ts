import { once } from 'node:events';
import { MessageChannel, Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { Answers, Link, RecordedCall, turn } from '../../test/support/link.ts';
import { HoldingMeter } from '../load/holding-meter.ts';
import { REPLICA_STATE, ReplicaLoad } from '../load/load-table.ts';
import { ReplicaTally } from '../load/replica-tally.ts';
import { now } from '../time/clock.ts';
import { NO_ENCODING, transfer } from '../values/transfer.ts';
import { CallerChannel } from './caller-channel.ts';
import { CANCEL_CODE } from './frames.ts';
import type { InboundCall, InboundListener } from './inbound-call.ts';
import { LinkLedger } from './link-ledger.ts';
import { PortTransport } from './port-transport.ts';

/** A link whose calls wait to be answered by the test. */
async function waiting(calls: number): Promise<{ link: Link; sent: RecordedCall[]; answers: Answers }> {
  const link = new Link(() => {});
  const sent = Array.from({ length: calls }, () => link.send(new RecordedCall('first', [])));
  while (link.begun.length < calls) await turn();
  return { link, sent, answers: new Answers() };
}

/** Hears what a call is told, and nothing by default. */
function listener(heard: Partial<InboundListener>): InboundListener {
  return { cancelled() {}, credited() {}, uploaded() {}, uploadEnded() {}, refused() {}, ...heard };
}

const gone = (): ArrayBuffer => {
  const buffer = new ArrayBuffer(4);
  buffer.transfer();
  return buffer;
};

test('a result that cannot be cloned becomes its own call’s error', async () => {
  const { link, sent, answers } = await waiting(3);
  await using _ = link;
  answers.result(link.begun[0] as InboundCall, 'fine');
  link.begun[1]?.result(gone(), NO_ENCODING);
  answers.result(link.begun[2] as InboundCall, 'fine too');
  await Promise.all(sent.map(({ over }) => over));
  expect(sent.map(({ endings }) => endings)).toMatchObject([
    [{ type: 'result', value: 'fine' }],
    [{ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } }],
    [{ type: 'result', value: 'fine too' }],
  ]);
});

test('a chunk that cannot be cloned ends its stream there: no later chunk, no good end', async () => {
  const { link, sent, answers } = await waiting(2);
  await using _ = link;
  const [broken, whole] = link.begun as [InboundCall, InboundCall];
  const refused: string[] = [];
  broken.listener = listener({
    refused: (error) => {
      refused.push(error.message);
      answers.error(broken, error);
    },
  });
  for (const call of [broken, whole]) call.open(undefined, NO_ENCODING);
  const scratch = Uint8Array.of(1);
  for (const _time of [1, 2]) {
    const bytes = transfer(scratch, [scratch.buffer]);
    broken.chunk(bytes, { marks: undefined, transfer: [bytes.buffer], bytes: 1 });
    answers.chunk(whole, 'x');
  }
  answers.chunk(broken, 'third');
  answers.end(whole);
  await Promise.all(sent.map(({ over }) => over));
  expect(sent[0]?.chunks).toEqual([Uint8Array.of(1)]);
  expect(sent[0]?.endings).toMatchObject([{ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } }]);
  expect(refused).toHaveLength(1);
  expect(sent[1]?.chunks).toEqual(['x', 'x']);
  expect(sent[1]?.endings).toEqual([{ type: 'ended' }]);
});

test('… also when the stream had ended before the batch was posted, and its id is free by then', async () => {
  const { link, sent, answers } = await waiting(1);
  await using _ = link;
  const [call] = link.begun as [InboundCall];
  call.open(undefined, NO_ENCODING);
  call.chunk(gone(), NO_ENCODING);
  answers.end(call);
  expect(await sent[0]?.over).toMatchObject({ type: 'failed', error: { code: 'SERVE_NOT_SERIALIZABLE' } });
  expect(sent[0]?.endings).toHaveLength(1);
  const next = link.send(new RecordedCall('first', []));
  while (link.begun.length < 2) await turn();
  answers.result(link.begun[1] as InboundCall, 'for the next');
  expect(await next.over).toEqual({ type: 'result', value: 'for the next' });
});

test('the caller hears how long a call ran, unless calls are too quick to be timed', async () => {
  const spin = (call: InboundCall): void => {
    for (const end = now() + 2; now() < end; );
    new Answers().result(call, 'done');
  };
  await using slow = new Link(spin, 1, new HoldingMeter());
  const timed = slow.send(new RecordedCall('first', []));
  expect(await timed.over).toEqual({ type: 'result', value: 'done' });
  expect(timed.ranMs).toBeGreaterThanOrEqual(2);
  await using quick = new Link(spin);
  const untimed = quick.send(new RecordedCall('first', []));
  expect(await untimed.over).toEqual({ type: 'result', value: 'done' });
  expect(untimed.ranMs).toBeUndefined();
});

test('arguments are revived together, when the call looks at them', async () => {
  const link: Link = new Link((call) => new Answers().result(call, call.args.length));
  await using _ = link;
  const buffer = Buffer.from('b');
  await link.send(new RecordedCall('first', [{ buffer }, buffer, 1])).over;
  const [call] = link.begun as [InboundCall];
  const [first, second] = call.args as [{ buffer: Buffer }, Buffer];
  expect(Buffer.isBuffer(second)).toBe(true);
  expect(first.buffer).toBe(second);
});

test('arguments that cannot be revived fail the call that looks at them, not the channel', async () => {
  const link: Link = new Link((call) => {
    try {
      new Answers().result(call, call.args);
    } catch (error) {
      new Answers().error(call, error);
    }
  });
  await using _ = link;
  const bad = new RecordedCall('first', []);
  const request = { method: 'GET', url: 'http://no host/', headers: [], body: undefined };
  Object.assign(bad, { args: [request], marks: [request, 3] });
  const calls = [bad, new RecordedCall('first', [1])].map((call) => link.send(call));
  expect(await calls[1]?.over).toEqual({ type: 'result', value: [1] });
  expect(await calls[0]?.over).toMatchObject({ type: 'failed', error: { name: 'TypeError' } });
});

test('when the caller leaves, its calls are cancelled and its unused places reported', async () => {
  const { link } = await waiting(2);
  const codes: number[] = [];
  for (const call of link.begun) call.listener = listener({ cancelled: (code) => codes.push(code) });
  // Never flushed: the thread of a caller may end at any point.
  for (let unused = 0; unused < 3; unused++) link.caller.reserve(0);
  const closed = link.closed();
  link.callerPort.close();
  await closed;
  expect(codes).toEqual([CANCEL_CODE.cancelled, CANCEL_CODE.cancelled]);
  expect(link.load.ongoing).toBe(2);
  // Answers for nobody: dropped.
  for (const call of link.begun) new Answers().result(call, 1);
  await turn();
  expect(link.load.ongoing).toBe(0);
});

test('an answer that was posted is read before the link closes', async () => {
  const { link, sent, answers } = await waiting(2);
  answers.result(link.begun[0] as InboundCall, 'the last one');
  link.replica.flush();
  const closed = link.closed();
  link.caller.close(new Error('it died'));
  await closed;
  expect(sent[0]?.endings).toEqual([{ type: 'result', value: 'the last one' }]);
  expect(sent[1]?.endings).toMatchObject([
    { type: 'orphaned', started: true, error: { message: 'it died' } },
  ]);
});

test('a message that cannot be read ends the replica: calls are lost with it, and none may wait for ever', async () => {
  const { port1, port2 } = new MessageChannel();
  const [load, ledger] = [new ReplicaLoad(), new LinkLedger()];
  load.limit = 10;
  load.setState(REPLICA_STATE.ready);
  const entry = new URL('../../test/fixtures/threads/replica-end.ts', import.meta.url);
  const worker = new Worker(entry, {
    workerData: { port: port2, ledger: ledger.shared },
    transferList: [port2],
    // Room for about 500 levels.
    resourceLimits: { stackSizeMb: 0.5 },
  });
  const died = once(worker, 'error') as Promise<[Error]>;
  const exited = new Promise((resolve) => worker.once('exit', resolve));
  const caller = new CallerChannel(
    new PortTransport(port1),
    ledger,
    { load, tally: new ReplicaTally(), methods: new Map([['first', 0]]) },
    () => {},
  );
  const call = (depth: number): RecordedCall => {
    let value: unknown = 1;
    for (let level = 0; level < depth; level++) value = { a: value };
    const made = new RecordedCall('first', [value]);
    caller.reserve(0);
    caller.send(made);
    return made;
  };
  expect(await call(100).over).toEqual({ type: 'result', value: 100 });
  const lost = call(990);
  expect((await died)[0].message).toContain('Maximum call stack size exceeded');
  await exited;
  expect(await lost.over).toMatchObject({ type: 'orphaned', started: false });
});

test('pieces of a body that leave together are one chunk each of text and of bytes, in order', async () => {
  const { link, sent, answers } = await waiting(2);
  await using _ = link;
  const [text, mixed] = link.begun as [InboundCall, InboundCall];
  text.open('head', NO_ENCODING);
  mixed.open('head', NO_ENCODING);
  const bytes = Uint8Array.of(1, 2);
  const joined = ['a', 'b', 'c'].map((piece) => {
    mixed.piece(bytes);
    return text.piece(piece);
  });
  // The caller of `piece` may use its memory again.
  bytes.fill(9);
  expect(mixed.piece('d')).toBe(false);
  expect(joined).toEqual([false, true, true]);
  await turn();
  await turn();
  expect(text.piece('later')).toBe(false);
  for (const call of [text, mixed]) answers.end(call);
  await Promise.all(sent.map(({ over }) => over));
  expect(sent[0]?.chunks).toEqual(['abc', 'later']);
  expect(sent[1]?.chunks).toEqual([Uint8Array.of(1, 2, 1, 2, 1, 2), 'd']);
});

test('pieces are joined up to 16,384 characters and 2,048 bytes', async () => {
  const { link, sent, answers } = await waiting(1);
  await using _ = link;
  const [call] = link.begun as [InboundCall];
  const pieces = [
    'x'.repeat(16_000),
    'y'.repeat(384),
    'z',
    new Uint8Array(1_024),
    new Uint8Array(1_024),
    Uint8Array.of(1),
  ];
  expect(pieces.map((piece) => call.piece(piece))).toEqual([false, true, false, false, true, false]);
  answers.end(call);
  await sent[0]?.over;
  expect(sent[0]?.chunks.map((chunk) => (chunk as string | Uint8Array).length)).toEqual([
    16_384, 1, 2_048, 1,
  ]);
});
