import { expect, test } from 'vitest';
import { quietServe } from '../support/quiet.ts';
import { Shared } from '../support/shared.ts';
import { event, status } from '../support/until.ts';
import { DATABASE, store } from './programs/replica-health-check.ts';

test('replica_health_check: the replica whose connection broke is replaced, the other one stays', async () => {
  await using serve = quietServe();
  const shared = new Shared();
  const handle = await serve.run(store.bind(shared.buffer));
  await status(serve, 'Store', 'Store', 'HEALTHY');
  const connections = async (): Promise<Map<number, string>> => {
    const answers = await Promise.all(await handle.broadcast('call'));
    return new Map(answers.map(({ connection, replica }) => [connection, replica]));
  };
  const before = await connections();
  expect([...before.keys()].sort()).toEqual([1, 2]);

  const gone = event(serve, 'replica', ({ state }) => state === 'STOPPED');
  const replaced = event(serve, 'replica', ({ state }) => state === 'RUNNING');
  shared.set(DATABASE.broken, 1);
  expect((await gone).replica).toBe(before.get(1));
  await replaced;
  await status(serve, 'Store', 'Store', 'HEALTHY');

  const after = await connections();
  expect([...after.keys()].sort()).toEqual([2, 3]);
  expect(after.get(2)).toBe(before.get(2));
  expect(shared.get(DATABASE.closed)).toBe(1);
});
