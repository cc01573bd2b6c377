import { describe, expect, test } from 'vitest';
import { DeploymentLoad, QueueLedger } from './deployment-load.ts';
import type { QueueHeads } from './queue-heads.ts';

/** Threads that share a deployment, each with its own view. */
function threads(count: number): DeploymentLoad[] {
  const first = new DeploymentLoad();
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? first : new DeploymentLoad(first.shared),
  );
}

function heads(count: number): QueueHeads[] {
  return threads(count).map((load) => {
    load.join(new QueueLedger());
    return load.heads;
  });
}

const call = (readyAt: number, priorityRank = 1) => ({ readyAt, priorityRank });

describe('the heads of the queues', () => {
  test('one that has waited for more than 50 ms goes before younger ones of other threads', () => {
    const [old, young] = heads(2) as [QueueHeads, QueueHeads];
    old.publish(call(1_000), 7);
    expect([1_050, 1_051].map((at) => young.waitBefore(call(1_040), at, 8))).toEqual([0, 51]);
    // Not before older ones, nor its own.
    expect([young.waitBefore(call(990), 1_100, 8), old.waitBefore(call(1_040), 1_100, 8)]).toEqual([0, 0]);
    old.publish(call(1_060), 8);
    expect(young.waitBefore(call(1_040), 1_200, 9)).toBe(0);
    old.clear();
    expect(young.waitBefore(call(1_090), 1_200, 9)).toBe(0);
  });

  test('one whose thread has looked at the last freed places leaves them to the others', () => {
    const [old, young] = heads(2) as [QueueHeads, QueueHeads];
    const head = call(1_000);
    old.publish(head, 7);
    expect([7, 8].map((sequence) => young.waitBefore(call(1_040), 1_100, sequence))).toEqual([0, 100]);
    old.publish(head, 8);
    expect(young.waitBefore(call(1_040), 1_100, 8)).toBe(0);
  });

  test('one that is less important holds up nobody that is more', () => {
    const [old, young] = heads(2) as [QueueHeads, QueueHeads];
    old.publish(call(1_000, 2), 7);
    expect([1, 2, 3].map((rank) => young.waitBefore(call(1_040, rank), 1_100, 8))).toEqual([0, 100, 100]);
  });

  test('one whose thread does not look holds up nobody until it looks again', () => {
    const [old, young] = heads(2) as [QueueHeads, QueueHeads];
    const head = call(1_000);
    old.publish(head, 7);
    const markAsleep = young.watch(8);
    markAsleep();
    expect([8, 9].map((sequence) => young.waitBefore(call(1_040), 1_100, sequence))).toEqual([0, 0]);
    old.publish(head, 9);
    expect(young.waitBefore(call(1_040), 1_100, 10)).toBe(100);

    const look = young.watch(10);
    old.publish(head, 10);
    look();
    expect(young.waitBefore(call(1_040), 1_100, 11)).toBe(100);
  });

  test('a thread that is gone leaves its slot; one that finds none takes no part', () => {
    const all = threads(66);
    const ledgers = all.map((load) => {
      const ledger = new QueueLedger();
      load.join(ledger);
      return ledger;
    });
    const [host, dead] = all as [DeploymentLoad, DeploymentLoad];
    const [late, last] = all.slice(64) as [DeploymentLoad, DeploymentLoad];
    last.heads.publish(call(1_000), 7);
    expect(host.heads.waitBefore(call(1_040), 1_100, 8)).toBe(0);

    dead.heads.publish(call(1_000), 7);
    expect(host.heads.waitBefore(call(1_040), 1_100, 8)).toBe(100);
    expect(last.heads.waitBefore(call(1_040), 1_100, 8)).toBe(100);
    host.giveBack(ledgers[1] as QueueLedger);
    expect(host.heads.waitBefore(call(1_040), 1_100, 8)).toBe(0);
    late.join(new QueueLedger());
    late.heads.publish(call(1_010), 7);
    expect(host.heads.waitBefore(call(1_040), 1_100, 8)).toBe(90);
  });
});
