import { expect, test } from 'vitest';
import { routeKey } from '../../handle/routing/directory.ts';
import { type Declaration, DOCUMENT_FORMAT } from '../documents.ts';
import { WaitingMessages } from './waiting-messages.ts';

const declaration = (codeVersion: string): Declaration => ({
  format: DOCUMENT_FORMAT,
  codeVersion,
  apps: [],
});
const report = (lagMs: number) =>
  ({ type: 'report', loads: {}, lagMs, isReady: true, revertible: [] }) as const;
const demand = (name: string) => ({ type: 'demand', key: routeKey('shop', name) }) as const;

test('an instance that cannot join keeps a bounded number of messages: the last of each kind', () => {
  const waiting = new WaitingMessages();
  waiting.add({ type: 'declare', declaration: declaration('1') });
  for (let lagMs = 0; lagMs < 100; lagMs++) {
    waiting.add(report(lagMs));
    waiting.add(demand('Cart'));
    waiting.add(demand('Till'));
  }
  waiting.add({ type: 'declare', declaration: declaration('2') });
  waiting.add({ type: 'leave', timeoutMs: 1_000 });
  expect(waiting.take()).toEqual([
    { type: 'declare', declaration: declaration('2') },
    report(99),
    demand('Cart'),
    demand('Till'),
    { type: 'leave', timeoutMs: 1_000 },
  ]);
  expect(waiting.take()).toEqual([]);
});
