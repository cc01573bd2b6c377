import { expect, test } from 'vitest';
import { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { NO_TOTALS, type PeerReport } from './peer-report.ts';
import { PeerWatch } from './peer-watch.ts';

const ejection = { cause: 'unreachable', until: Number.MAX_SAFE_INTEGER } as const;

function reported(...instances: readonly { instance: string; isEjected: boolean }[]): PeerReport {
  const peers = instances.map(({ instance, isEjected }) => ({
    instance,
    rttMs: 1,
    ejection: isEjected ? ejection : undefined,
  }));
  return { totals: NO_TOTALS, peers };
}

test('an instance that returns may get calls again; one that is gone from the fleet is not said to', () => {
  const messages: string[] = [];
  const write = (_fields: object, message?: string): number => messages.push(message ?? '');
  const log = { debug: write, info: write, warn: write, error: write } as unknown as Logger;
  const watch = new PeerWatch({ events: new Events(() => {}), log }, () => []);
  watch.reported(reported({ instance: 'a', isEjected: true }, { instance: 'b', isEjected: true }));
  watch.reported(reported({ instance: 'a', isEjected: false }));
  watch.close();
  expect(messages.filter((message) => message.endsWith('may get calls again'))).toEqual([
    'instance a may get calls again',
  ]);
});
