import { expect, test } from 'vitest';
import { blockedFrames } from './blocked-stack.ts';

const RUNNER = '/package/python/runner.py';

test('are the frames of user code in the thread that received the signal', () => {
  const text = `Thread 0x00007f01 (most recent call first):
  File "/package/python/inserve/_connection.py", line 119 in receive
  File "/usr/lib/python3.11/threading.py", line 1045 in _bootstrap_inner

Current thread 0x00007f02 (most recent call first):
  File "/app/deep.py", line 3 in <listcomp>
  File "/app/model.py", line 12 in predict
  File "/package/python/inserve/_calls.py", line 152 in _run_sync
  File "/usr/lib/python3.11/asyncio/base_events.py", line 607 in run_forever
  File "/package/python/runner.py", line 24 in main
`;
  expect(blockedFrames(text, RUNNER)).toEqual([
    'at <listcomp> (/app/deep.py:3)',
    'at predict (/app/model.py:12)',
  ]);
});

test('are those of a thread of the pool, if the main thread only waits', () => {
  const text = `Thread 0x00007f01 (most recent call first):
  File "/app/model.py", line 5 in spin
  File "/usr/lib/python3.11/concurrent/futures/thread.py", line 58 in run

Current thread 0x00007f02 (most recent call first):
  File "/usr/lib/python3.11/selectors.py", line 468 in select
`;
  expect(blockedFrames(text, RUNNER)).toEqual(['at spin (/app/model.py:5)']);
  expect(blockedFrames('', RUNNER)).toEqual([]);
});
