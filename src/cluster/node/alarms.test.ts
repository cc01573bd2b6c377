import { expect, test } from 'vitest';
import { Alarms } from './alarms.ts';

test('an alarm is raised once per period and cause', () => {
  const raised: string[] = [];
  const alarms = new Alarms(60_000, (cause, message) => raised.push(`${cause}: ${message}`));
  for (let at = 0; at < 180_000; at += 250) {
    alarms.raise('store timeout', `at ${at}`, at);
    if (at >= 30_000) alarms.raise('plan refused', `at ${at}`, at);
  }
  expect(raised).toEqual([
    'store timeout: at 0',
    'plan refused: at 30000',
    'store timeout: at 60000',
    'plan refused: at 90000',
    'store timeout: at 120000',
    'plan refused: at 150000',
  ]);
});

test('whoever invents causes gets no more alarms for it', () => {
  let raised = 0;
  const alarms = new Alarms(60_000, () => raised++);
  for (let index = 0; index < 100_000; index++) alarms.raise(`unreadable record ${index}`, '', index / 10);
  expect(raised).toBeLessThanOrEqual(129);
});
