import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, expect, test } from 'vitest';
import { ServeError } from '../../errors.ts';
import type { RedisClient } from './client.ts';
import { RedisLender } from './lender.ts';
import { borrowRedis, lendRedis } from './lent-client.ts';

const opened: Array<{ close(): void }> = [];
afterEach(() => {
  for (const one of opened.splice(0)) one.close();
});

const CLIENT: RedisClient = {
  run: async () => 'answered',
  subscribe: () => () => {},
  localAddress: '127.0.0.1',
  close() {},
};

/** The port of a client whose maker fails the given number of times. */
function portTo(failures: number): MessagePort {
  const { port1, port2 } = new MessageChannel();
  opened.push(port1);
  let attempts = 0;
  const open = async (): Promise<RedisClient> => {
    if (attempts++ < failures) throw new ServeError('SERVE_INVALID_OPTION', 'no credentials yet');
    return CLIENT;
  };
  lendRedis(open, port1);
  return port2;
}

test('a client that cannot be made is an error there, and can be asked for again', async () => {
  const port = portTo(1);
  await expect(borrowRedis(port)).rejects.toMatchObject({
    code: 'SERVE_INVALID_OPTION',
    message: 'no credentials yet',
  });
  const borrowed = await borrowRedis(port);
  await expect(borrowed.run({ source: '', sha: '' }, [], [])).resolves.toBe('answered');
  expect(port.listenerCount('message')).toBe(1);
});

test("a lender says in both threads that the app's client cannot be used", async () => {
  const errors: unknown[] = [];
  const given = {
    duplicate() {
      throw new Error('this client has no duplicates');
    },
    callBuffer() {},
  };
  const lender = new RedisLender(given, (error) => errors.push(error));
  const port = lender.lend();
  opened.push(port, lender);
  for (let attempt = 0; attempt < 2; attempt++)
    await expect(borrowRedis(port)).rejects.toThrow('this client has no duplicates');
  expect(errors).toHaveLength(2);
});
