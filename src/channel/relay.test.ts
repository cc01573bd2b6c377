import { describe, expect, test } from 'vitest';
import { Answers, Link, RecordedCall } from '../../test/support/link.ts';
import type { Marks } from '../values/marks.ts';
import { transfer } from '../values/transfer.ts';
import type { ChannelCall } from './channel-call.ts';
import { CANCEL_CODE } from './frames.ts';
import type { InboundCall } from './inbound-call.ts';
import { OutboundCall } from './outbound-call.ts';

/** Passes a call on to another replica, and its answers back. */
class Relayed extends OutboundCall {
  readonly callerName = 'relay';
  readonly sentAt = 0;
  /** Values that passed here. */
  readonly seen: unknown[] = [];
  readonly #inbound: InboundCall;

  constructor(inbound: InboundCall) {
    super();
    this.#inbound = inbound;
    this.method = 'first';
    this.number = inbound.number;
    Object.assign(this, inbound.raw());
    this.seen.push(...this.args);
  }

  override get wantsRaw(): boolean {
    return true;
  }

  override succeeded(value: unknown, marks?: Marks): void {
    this.seen.push(value);
    this.#inbound.result(value, { marks, transfer: undefined, bytes: 0 });
  }

  override failed(error: unknown, marks?: Marks): void {
    this.seen.push(error);
    this.#inbound.error(error, { marks, transfer: undefined, bytes: 0 });
  }

  override opened(head: unknown, marks?: Marks): void {
    this.#inbound.open(head, { marks, transfer: undefined, bytes: 0 });
  }

  override chunk(value: unknown, bytes: number, marks?: Marks): void {
    this.seen.push(value);
    this.#inbound.chunk(value, { marks, transfer: undefined, bytes });
  }

  override ended(): void {
    this.#inbound.end();
  }

  override credited(): void {}
  override orphaned(): void {}
  override expire(): void {}
}

/** A caller, a relay and a replica, one behind the other. */
class Chain {
  readonly relayed: Relayed[] = [];
  readonly #behind: Link;
  readonly #front: Link;

  constructor(begin: (call: InboundCall) => void) {
    this.#behind = new Link(begin);
    this.#front = new Link((inbound) => {
      const call = new Relayed(inbound);
      inbound.listener = {
        cancelled: () => this.#behind.caller.cancel(call, CANCEL_CODE.cancelled),
        credited: (chunks) => this.#behind.caller.credit(call, chunks),
        uploaded() {},
        uploadEnded() {},
        refused() {},
      };
      this.relayed.push(call);
      this.#behind.caller.reserve(0);
      this.#behind.caller.send(call);
    });
  }

  send(...args: unknown[]): RecordedCall {
    return this.#front.send(new RecordedCall('first', args));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front[Symbol.asyncDispose]();
    await this.#behind[Symbol.asyncDispose]();
  }
}

/** A call that is sent again as often as it is given back. */
class Repeated extends RecordedCall {
  givenBack = 0;

  override returned(): void {
    this.givenBack++;
    queueMicrotask(() => this.link?.send(this));
  }

  link: Link | undefined = undefined;
}

class Refusal extends RangeError {
  readonly limit = 7;
}

describe('a call that is passed on', () => {
  test('brings its arguments and its result whole, and neither is made on the way', async () => {
    const received: unknown[] = [];
    await using chain = new Chain((call) => {
      received.push(...call.args);
      new Answers().result(call, { error: new Refusal('too many'), bytes: Buffer.from('abc') });
    });
    const sent = new TypeError('sent', { cause: new Map([['a', 1n]]) });
    const call = chain.send(sent, Buffer.from('xyz'));
    const { value } = (await call.over) as { type: 'result'; value: { error: Error; bytes: Buffer } };
    expect(received).toEqual([sent, Buffer.from('xyz')]);
    expect(received[0]).toBeInstanceOf(TypeError);
    expect(value.error).toBeInstanceOf(RangeError);
    expect([value.error.message, Reflect.get(value.error, 'limit')]).toEqual(['too many', 7]);
    expect(Buffer.isBuffer(value.bytes)).toBe(true);
    const seen = chain.relayed[0]?.seen ?? [];
    expect(seen).toHaveLength(3);
    const made = [...seen, Reflect.get(seen[2] as object, 'error'), Reflect.get(seen[2] as object, 'bytes')];
    expect(made.filter((one) => one instanceof Error || Buffer.isBuffer(one))).toEqual([]);
  });

  test('brings its failure, and the chunks of a stream', async () => {
    const answers = new Answers();
    await using chain = new Chain((call) => {
      if (call.args[0] === 'fail') {
        answers.error(call, new Refusal('no'));
        return;
      }
      call.open(undefined, { marks: undefined, transfer: undefined, bytes: 0 });
      for (const chunk of [1, Buffer.from('two'), new Error('three')]) answers.chunk(call, chunk);
      answers.end(call);
    });
    const [failing, streaming] = [chain.send('fail'), chain.send('stream')];
    const failed = await failing.over;
    expect(failed).toMatchObject({ type: 'failed', error: { message: 'no', limit: 7 } });
    expect(Reflect.get(failed, 'error')).toBeInstanceOf(RangeError);
    expect(await streaming.over).toEqual({ type: 'ended' });
    expect(streaming.chunks).toEqual([1, Buffer.from('two'), new Error('three')]);
    expect(streaming.chunks[2]).toBeInstanceOf(Error);
    const seen = chain.relayed.flatMap((call) => call.seen);
    expect(seen.filter((one) => one instanceof Error || Buffer.isBuffer(one))).toEqual([]);
  });

  test('is whole again each time that it is given back, also where its memory has moved', async () => {
    let begun = 0;
    const received: unknown[] = [];
    await using link = new Link((call) => {
      if (begun++ < 3) (call as ChannelCall).returned();
      else {
        received.push(...call.args);
        new Answers().result(call, received.length);
      }
    });
    const memory = new Float64Array(20_000).map((_, index) => index);
    const part = memory.subarray(5, 7);
    const bytes = Buffer.alloc(70_000, 3);
    const call = new Repeated('first', [
      { of: new Map([['a', { memory }]]), part, bytes, error: new Refusal('x') },
    ]);
    memory.fill(0);
    call.link = link;
    link.send(call);
    expect(await call.over).toEqual({ type: 'result', value: 1 });
    expect(call.givenBack).toBe(3);
    const [{ of, ...rest }] = received as [{ of: Map<string, { memory: Float64Array }>; part: Float64Array }];
    const taken = of.get('a')?.memory;
    expect(taken).toEqual(new Float64Array(20_000).map((_, index) => index));
    expect(rest.part.buffer).toBe(taken?.buffer);
    expect(rest).toEqual({ part: new Float64Array([5, 6]), bytes, error: new Refusal('x') });
    expect([memory.length, bytes.length]).toEqual([20_000, 70_000]);
  });

  test.each([
    ['little memory', (bytes: Uint8Array<ArrayBuffer>) => ({ bytes })],
    ['memory that no value refers to', () => ({ bytes: 'none' })],
  ])('is whole again where %s moved with it', async (_, holding) => {
    let begun = 0;
    await using link = new Link((call) => {
      if (begun++ < 2) (call as ChannelCall).returned();
      else new Answers().result(call, call.args);
    });
    const given = new Uint8Array([1, 2, 3]);
    const value = holding(given);
    const expected = structuredClone(value);
    const call = new Repeated('first', [transfer(value, [given.buffer])]);
    call.link = link;
    link.send(call);
    expect(await call.over).toEqual({ type: 'result', value: [expected] });
    expect(given.length).toBe(0);
  });
});
