import { MessageChannel } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { REPLICA_STATE, ReplicaLoad } from '../load/load-table.ts';
import { ReplicaTally } from '../load/replica-tally.ts';
import { CallerChannel } from './caller-channel.ts';
import { FRAME } from './frames.ts';
import { LinkLedger } from './link-ledger.ts';
import { OutboundCall } from './outbound-call.ts';
import { PortTransport } from './port-transport.ts';

class RecordedCall extends OutboundCall {
  readonly callerName = 'test';
  readonly sentAt = 0;
  readonly heard: unknown[] = [];
  override method = 'call';

  succeeded(value: unknown): void {
    this.heard.push(['succeeded', value]);
  }
  failed(error: unknown): void {
    this.heard.push(['failed', error]);
  }
  opened(): void {}
  chunk(): void {}
  ended(): void {}
  credited(): void {}
  expire(): void {}
  orphaned(started: boolean, error: unknown): void {
    this.heard.push(['orphaned', started, error]);
  }
}

test('an answer that was posted before the replica ended counts, though the news of the end came first', () => {
  const load = new ReplicaLoad();
  load.limit = 2;
  load.setState(REPLICA_STATE.ready);
  const { port1, port2 } = new MessageChannel();
  const channel = new CallerChannel(
    new PortTransport(port1),
    new LinkLedger(),
    { load, tally: new ReplicaTally(), methods: new Map([['call', 0]]) },
    () => {},
  );
  const calls = [new RecordedCall(), new RecordedCall()] as const;
  for (const call of calls) {
    channel.reserve(0);
    channel.send(call);
  }
  port2.postMessage([FRAME.result, calls[0].slot, 'in time']);
  const end = new Error('the replica ended');
  channel.close(end);
  expect(calls[0].heard).toEqual([['succeeded', 'in time']]);
  expect(calls[1].heard).toEqual([['orphaned', false, end]]);
});
