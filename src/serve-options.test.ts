import { expect, test } from 'vitest';
import type { Logger } from './observe/logger.ts';
import { createServe } from './serve.ts';

test('a fleet without Redis is warned of', async () => {
  const warnings: string[] = [];
  const ignore = (): void => {};
  const warn = (_fields: object, message: string): number => warnings.push(message);
  const logger = { debug: ignore, info: ignore, warn, error: ignore } as unknown as Logger;
  await using alone = createServe({ logger });
  expect([alone.status().fleet, warnings]).toEqual([undefined, []]);
  await using _ = createServe({ logger, fleet: { secret: 'a secret of the fleet, for tests!' } });
  expect(warnings).toEqual([
    'fleet is set without redis, so the instance belongs to no fleet: set redis, or INSERVE_REDIS_URL',
  ]);
});
