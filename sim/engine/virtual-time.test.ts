import { describe, expect, test } from 'vitest';
import { machineTime, now, time } from '../../src/time/clock.ts';
import { arrive, SimulatedDeployment } from './simulated-deployment.ts';
import { inVirtualTime, MESSAGE_MS, VirtualThread } from './virtual-time.ts';
import { computing, waiting } from './work.ts';

describe('virtual time', () => {
  test('jumps from event to event, in the order of their times and then of their planning', async () => {
    const seen = await inVirtualTime(1, async (virtual) => {
      const at: string[] = [];
      const note = (what: string): void => void at.push(`${what}@${now()}`);
      virtual.at(20, () => note('third'));
      virtual.at(10, () => note('first'));
      virtual.at(10, () => note('second'));
      const ticker = time.every(15, () => note('tick'));
      virtual.at(40, () => time.cancel(ticker));
      await virtual.advanceTo(100);
      note('end');
      return at;
    });
    expect(seen).toEqual(['first@10', 'second@10', 'tick@15', 'third@20', 'tick@30', 'end@100']);
    expect(time).toBe(machineTime);
  });

  test('the events of a thread wait while its code computes; those of others do not', async () => {
    const seen = await inVirtualTime(1, async (virtual) => {
      const at: string[] = [];
      const thread = new VirtualThread();
      virtual.inThread(thread, () => {
        virtual.at(10, () => void virtual.hold(50).then(() => at.push(`computed@${now()}`)));
        virtual.at(20, () => void at.push(`message@${now()}`));
      });
      virtual.at(30, () => void at.push(`other@${now()}`));
      await virtual.advanceTo(100);
      return at;
    });
    expect(seen).toEqual(['other@30', 'computed@60', 'message@60']);
  });

  test('a notified thread wakes up a message later', async () => {
    const wokenAt = await inVirtualTime(1, async (virtual) => {
      const words = new Int32Array(new SharedArrayBuffer(4));
      const woken = time.wait(words, 0, 0).then(now);
      virtual.at(10, () => void Atomics.notify(words, 0));
      await virtual.advanceTo(20);
      return woken;
    });
    expect(wokenAt).toBe(10 + MESSAGE_MS);
  });

  test('a simulation that leaves calls open is refused', async () => {
    const left = inVirtualTime(1, async (virtual) => void virtual.every(10, () => {}));
    await expect(left).rejects.toThrow('left calls open');
    expect(time).toBe(machineTime);
  });
});

test.each([
  ['computes', computing(10)],
  ['waits', waiting(10)],
])('a call that %s takes its time and two messages', async (_name, work) => {
  const ended = await inVirtualTime(1, async (virtual) => {
    const deployment = await SimulatedDeployment.start(virtual, { replicas: 1 });
    const latencies: number[] = [];
    arrive(virtual, [100, 200], () =>
      deployment.call(work, { onEnded: ({ createdAt }) => latencies.push(now() - createdAt) }),
    );
    await virtual.advanceTo(300);
    await deployment.finish(Infinity);
    return latencies;
  });
  for (const ms of ended) expect(ms).toBeCloseTo(work.holdMs + work.waitMs + 2 * MESSAGE_MS, 5);
  expect(ended).toHaveLength(2);
});
