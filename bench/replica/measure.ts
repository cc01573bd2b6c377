import { setTimeout as sleep } from 'node:timers/promises';
import { collectGarbage } from '../harness/garbage.ts';
import { median } from '../harness/statistics.ts';

/** Starts one thread; resolves to its end when it can be used. */
export type Starter = () => Promise<() => Promise<unknown>>;

const STARTS = 7;
const THREADS = 8;
/** What a new thread still does, such as freeing what it compiled. */
const SETTLE_MS = 400;

/** Milliseconds from the wish to a thread that can be used, one at a time: the median. */
export async function measureStart(start: Starter): Promise<number> {
  const times: number[] = [];
  for (let index = 0; index <= STARTS; index++) {
    const begin = performance.now();
    const end = await start();
    // The first loads what the process needs only once.
    if (index > 0) times.push(performance.now() - begin);
    await end();
  }
  return median(times);
}

/** Resident memory of one thread in MiB: by how much several make the process grow. */
export async function measureMemory(start: Starter): Promise<number> {
  const ends = [await start()];
  const before = await residentMib();
  for (let index = 0; index < THREADS; index++) ends.push(await start());
  const after = await residentMib();
  for (const end of ends) await end();
  return (after - before) / THREADS;
}

/** Resident memory in MiB that a process grows by with its first thread, and with all that it must import for it. */
export async function measureFirst(prepare: () => Promise<Starter>): Promise<number> {
  const before = await residentMib();
  const start = await prepare();
  const end = await start();
  const after = await residentMib();
  await end();
  return after - before;
}

async function residentMib(): Promise<number> {
  collectGarbage();
  await sleep(SETTLE_MS);
  collectGarbage();
  return process.memoryUsage.rss() / 2 ** 20;
}
