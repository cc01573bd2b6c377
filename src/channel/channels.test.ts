import { setImmediate as immediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { isSameGraph } from '../../test/support/graph.ts';
import { Answers, Link, RecordedCall, turn } from '../../test/support/link.ts';
import { CANCEL_CODE } from './frames.ts';
import type { InboundCall, InboundListener } from './inbound-call.ts';

/** What a replica is to do with a call; it travels as the call's first argument. */
interface Task {
  readonly id: number;
  readonly answer: 'result' | 'marked' | 'error' | 'stream' | 'wait';
  /** Turns of the event loop before each frame. */
  readonly turns: number;
  readonly chunks: number;
}

const task = fc.record({
  answer: fc.constantFrom<Task['answer']>('result', 'marked', 'error', 'stream', 'wait'),
  turns: fc.nat(2),
  chunks: fc.nat(6),
});

type Step = { do: 'call'; task: Omit<Task, 'id'> } | { do: 'cancel'; which: number } | { do: 'turn' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: task.map((given) => ({ do: 'call' as const, task: given })) },
  { weight: 2, arbitrary: fc.nat().map((which) => ({ do: 'cancel' as const, which })) },
  { weight: 2, arbitrary: fc.constant({ do: 'turn' as const }) },
);

/** A replica that does what the calls ask for. */
class Worker {
  readonly answers = new Answers();
  /** Cancellations by task. */
  readonly cancelled = new Map<number, number>();
  readonly running: Promise<void>[] = [];

  begin(call: InboundCall): void {
    this.running.push(this.#run(call));
  }

  async #run(call: InboundCall): Promise<void> {
    const [given, shared] = call.args as [Task, { count: number }];
    shared.count++;
    const gate = Promise.withResolvers<'cancelled'>();
    call.listener = listener(() => {
      this.cancelled.set(given.id, (this.cancelled.get(given.id) ?? 0) + 1);
      gate.resolve('cancelled');
    });
    for (let left = given.turns; left > 0; left--) await immediate();
    if (given.answer === 'wait') await gate.promise;
    if (given.answer === 'stream') await this.#stream(call, given);
    else if (given.answer === 'error' || given.answer === 'wait')
      this.answers.error(call, new RangeError(`${given.id}`));
    else if (given.answer === 'marked')
      this.answers.result(call, { shared, buffer: Buffer.from(`${given.id}`) });
    else this.answers.result(call, { shared, id: given.id });
  }

  async #stream(call: InboundCall, { id, chunks, turns }: Task): Promise<void> {
    call.open({ id }, { marks: undefined, transfer: undefined, bytes: 0 });
    for (let at = 0; at < chunks; at++) {
      for (let left = turns; left > 0; left--) await immediate();
      this.answers.chunk(call, at % 2 === 0 ? `${id}:${at}` : Buffer.from(`${id}:${at}`));
    }
    this.answers.end(call);
  }
}

function listener(cancelled: () => void): InboundListener {
  return { cancelled, credited() {}, uploaded() {}, uploadEnded() {}, refused() {} };
}

/** What the call must have heard, and nothing else. */
function expectAnswer(call: RecordedCall, { id, answer, chunks }: Task): void {
  expect(call.endings).toHaveLength(1);
  const [ending] = call.endings;
  const shared = { count: 1 };
  if (answer === 'result') expect(ending).toEqual({ type: 'result', value: { shared, id } });
  else if (answer === 'marked') {
    expect(isSameGraph(ending, { type: 'result', value: { shared, buffer: Buffer.from(`${id}`) } })).toBe(
      true,
    );
  } else if (answer === 'stream') {
    expect(ending).toEqual({ type: 'ended' });
    expect(call.head).toEqual({ id });
  } else {
    expect(ending).toMatchObject({ type: 'failed', error: { name: 'RangeError', message: `${id}` } });
  }
  const all = Array.from({ length: answer === 'stream' ? chunks : 0 }, (_, at) =>
    at % 2 === 0 ? `${id}:${at}` : Buffer.from(`${id}:${at}`),
  );
  expect(isSameGraph(call.chunks, all)).toBe(true);
}

test('each call gets its own answer, once and in order, whatever the others do', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
      await using link = new Link((call) => worker.begin(call));
      const worker = new Worker();
      const calls: RecordedCall[] = [];
      const tasks: Task[] = [];
      // The same object in every call: none may see what another one's replica did to it.
      const shared = { count: 0 };
      const takenBack = new Set<number>();
      const cancel = (which: number): void => {
        const call = calls[which] as RecordedCall;
        const isOpen = call.slot !== -1;
        link.caller.cancel(call, CANCEL_CODE.cancelled);
        if (isOpen && call.slot === -1) takenBack.add(which);
      };
      for (const given of steps) {
        if (given.do === 'turn') {
          await turn();
        } else if (given.do === 'call') {
          const next = { ...given.task, id: tasks.length };
          tasks.push(next);
          calls.push(link.send(new RecordedCall('first', [next, shared])));
        } else if (calls.length > 0) {
          cancel(given.which % calls.length);
        }
      }
      // Those that wait for it are cancelled, the others come by themselves.
      for (const { id, answer } of tasks) if (answer === 'wait') cancel(id);
      await Promise.all(calls.filter((_, id) => !takenBack.has(id)).map(({ over }) => over));
      await turn();
      for (const [id, call] of calls.entries()) {
        if (takenBack.has(id)) expect(call.endings).toEqual([]);
        else expectAnswer(call, tasks[id] as Task);
      }
      // What was taken back never began.
      expect(link.begun).toHaveLength(calls.length - takenBack.size);
      expect(link.load.ongoing).toBe(0);
      for (const { id, answer } of tasks)
        if (answer === 'wait' && !takenBack.has(id)) expect(worker.cancelled.get(id)).toBeGreaterThan(0);
    }),
    { numRuns: 120 },
  );
});

const ENDS = ['the caller closes', 'the replica dies', 'the caller closes, then the replica dies'] as const;

test.each(ENDS)('a call is told the truth about whether it started, when %s', async (end) => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const link = new Link((call) => worker.begin(call));
      const worker = new Worker();
      const calls: RecordedCall[] = [];
      const takenBack = new Set<RecordedCall>();
      for (const given of steps) {
        if (given.do === 'turn') await turn();
        else if (given.do === 'call') {
          calls.push(
            link.send(new RecordedCall('first', [{ ...given.task, id: calls.length }, { count: 0 }])),
          );
        } else if (calls.length > 0) {
          const call = calls[given.which % calls.length] as RecordedCall;
          const isOpen = call.slot !== -1;
          link.caller.cancel(call, CANCEL_CODE.timeout);
          if (isOpen && call.slot === -1) takenBack.add(call);
        }
      }
      // A message that is on its way, or not even posted, is no call that started.
      const closed = link.closed();
      const cause = new Error('why');
      if (end !== 'the replica dies') link.caller.close(cause);
      if (end !== 'the caller closes') link.replicaPort.close();
      await closed;
      const open = calls.filter((call) => !takenBack.has(call));
      await Promise.all([link.gone, ...open.map(({ over }) => over)]);
      await turn();

      const begun = new Set(link.begun.map(({ args }) => (args[0] as Task).id));
      for (const [id, call] of calls.entries()) {
        expect(call.endings).toHaveLength(takenBack.has(call) ? 0 : 1);
        if (takenBack.has(call)) expect(begun.has(id)).toBe(false);
        const [ending] = call.endings;
        if (ending?.type !== 'orphaned') continue;
        expect(ending.started).toBe(begun.has(id));
        if (end !== 'the replica dies') expect(ending.error).toBe(cause);
      }
      expect(link.caller.reserve(0)).not.toBe(0);
      // What never began is given back, and what was is over: a replica whose caller left hears of it.
      await Promise.all(worker.running);
      await turn();
      expect(link.load.ongoing).toBe(0);
    }),
    { numRuns: 40 },
  );
});
