import { afterEach, expect, test, vi } from 'vitest';
import { ProcessMemoryGuard } from './process-memory-guard.ts';
import { residentMemory } from './resident-memory.ts';

afterEach(() => vi.restoreAllMocks());

test('a process that may open no more files is not ended because its memory cannot be read', () => {
  const before = residentMemory();
  vi.spyOn(process.memoryUsage, 'rss').mockImplementation(() => {
    throw Object.assign(new Error('too many open files, uv_resident_set_memory'), { code: 'EMFILE' });
  });
  const guard = new ProcessMemoryGuard(
    1_000_000,
    () => [],
    () => {},
  );
  expect(() => guard.tick()).not.toThrow();
  expect(residentMemory()).toBe(before);
});
