import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CreditCounter, StreamWindow } from '../../../channel/stream-window.ts';
import { HopWindow } from './hop-window.ts';

function passed(window: HopWindow, sizes: readonly number[]): number {
  return sizes.reduce((credits, bytes) => credits + window.passed(bytes), 0);
}

test('chunks are credited as they leave while fewer than 64 are under way, and then as they are read', () => {
  const window = new HopWindow();
  expect(passed(window, new Array(100).fill(10))).toBe(64);
  expect(window.consumed(16)).toBe(0);
  expect(window.consumed(20)).toBe(36);
  expect(window.consumed(64)).toBe(0);
  expect(passed(window, new Array(100).fill(10))).toBe(64);
});

test('chunks are credited as they leave until 256 KiB are under way', () => {
  const window = new HopWindow();
  expect(passed(window, new Array(10).fill(50_000))).toBe(6);
  expect(window.consumed(2)).toBe(2);
  expect(window.consumed(1)).toBe(0);
  expect(passed(new HopWindow(), [100, 1_000_000, 100])).toBe(2);
});

test('chunks are credited in groups', () => {
  const window = new HopWindow();
  expect(Array.from({ length: 70 }, () => window.passed(10)).filter((chunks) => chunks > 0)).toEqual([
    32, 32,
  ]);
});

test('a stream of any sizes arrives whole with any reader, and no more than the windows of both hops is under way', () => {
  const size = fc.oneof(fc.nat(200), fc.nat(400_000));
  const steps = fc.array(fc.constantFrom('produce', 'pass', 'read', 'credit'), { maxLength: 400 });
  fc.assert(
    fc.property(fc.array(size, { minLength: 1, maxLength: 300 }), steps, (sizes, steps) => {
      const producer = new StreamWindow();
      const hop = new HopWindow();
      const reader = new CreditCounter();
      const toHop: number[] = [];
      const toReader: number[] = [];
      const credits: number[] = [];
      let produced = 0;
      let read = 0;
      const act = {
        produce: () => {
          if (produced === sizes.length || !producer.hasRoom) return false;
          const bytes = sizes[produced++] as number;
          producer.sent(bytes);
          toHop.push(bytes);
          return true;
        },
        pass: () => {
          const bytes = toHop.shift();
          if (bytes === undefined) return false;
          producer.credited(hop.passed(bytes));
          toReader.push(bytes);
          return true;
        },
        read: () => {
          const bytes = toReader.shift();
          if (bytes === undefined) return false;
          read++;
          const chunks = reader.consumed(bytes);
          if (chunks > 0) credits.push(chunks);
          return true;
        },
        credit: () => {
          const chunks = credits.shift();
          if (chunks === undefined) return false;
          producer.credited(hop.consumed(chunks));
          return true;
        },
      };
      const check = (): void => {
        const underWay = [...toHop, ...toReader];
        // What the reader has read and not reported counts as under way.
        expect(underWay.length).toBeLessThanOrEqual(2 * 64);
        const largest = Math.max(0, ...sizes);
        expect(underWay.reduce((sum, bytes) => sum + bytes, 0)).toBeLessThan(2 * (262_144 + largest));
      };
      for (const step of steps) {
        act[step]();
        check();
      }
      while (act.produce() || act.pass() || act.read() || act.credit()) check();
      expect(read).toBe(sizes.length);
    }),
  );
});
