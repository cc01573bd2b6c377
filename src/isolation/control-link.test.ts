import { expect, test } from 'vitest';
import { ServeError } from '../errors.ts';
import type { ToReplica } from '../replica/control.ts';
import { packError } from '../values/pack.ts';
import { ControlLink } from './control-link.ts';

/** A link whose messages are kept, and whose answers the test gives. */
function linked(): { link: ControlLink; posted: ToReplica[]; lastId: () => number } {
  const posted: ToReplica[] = [];
  const link = new ControlLink('app', 'D#1', (message) => posted.push(message));
  const lastId = (): number => {
    const last = posted.at(-1);
    return last !== undefined && 'id' in last ? last.id : 0;
  };
  return { link, posted, lastId };
}

test('a question is answered once, and forgotten then', async () => {
  const { link, lastId } = linked();
  const stats = link.autoscalingStats();
  expect(link.open).toBe(1);
  link.answered({ type: 'answer', id: lastId(), stats: { depth: 3 } });
  expect(await stats).toEqual({ depth: 3 });
  expect(link.open).toBe(0);
  link.answered({ type: 'answer', id: lastId(), stats: { depth: 4 } });
});

test('a question that exceeded its limit is forgotten, and a late answer is ignored', async () => {
  const { link, lastId } = linked();
  await expect(link.reconfigure({ a: 1 }, 5)).rejects.toMatchObject({
    code: 'SERVE_TIMEOUT',
    message: 'reconfigure() took longer than 5 ms',
  });
  expect(link.open).toBe(0);
  link.answered({ type: 'answer', id: lastId() });
  expect(link.open).toBe(0);
});

test('a health check is timed from when the replica begins with it', async () => {
  const { link, lastId } = linked();
  const check = link.checkHealth(5).catch((error: ServeError) => error.code);
  const sooner = new Promise((resolve) => setTimeout(resolve, 30, 'still waiting'));
  expect(await Promise.race([check, sooner])).toBe('still waiting');
  link.begun(lastId());
  expect(await check).toBe('SERVE_TIMEOUT');
  expect(link.open).toBe(0);
});

test('an answer may be an error', async () => {
  const { link, lastId } = linked();
  const disposed = link.dispose(1_000);
  link.answered({ type: 'answer', id: lastId(), error: packError(new RangeError('no')) });
  await expect(disposed).rejects.toThrow(new RangeError('no'));
});

test('the end of the replica fails the open questions and all later ones', async () => {
  const { link, posted } = linked();
  const open = link.openCalls();
  const died = new ServeError('SERVE_REPLICA_DIED', 'gone');
  link.destroy(died);
  await expect(open).rejects.toBe(died);
  await expect(link.describe()).rejects.toBe(died);
  expect([posted.length, link.open]).toEqual([1, 0]);
});
