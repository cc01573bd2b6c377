import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { introduction, LOOPBACK, security } from '../../../test/support/wire/links.ts';
import { time } from '../../time/clock.ts';
import { FaultCounts } from '../../wire/wire-error.ts';
import type { LinkEnd } from '../node/events.ts';
import { PeerHealth } from '../peers/health/peer-health.ts';
import { PeerClient } from '../peers/peer-client.ts';
import { PeerCounts } from '../peers/peer-counts.ts';
import { MemberPeers } from './member-peers.ts';

/** A free port, where nobody listens or somebody who hangs up. */
async function portOf(hangsUp: boolean): Promise<AsyncDisposable & { readonly port: number }> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const close = async (): Promise<void> => {
    server.close();
    await once(server, 'close');
  };
  if (!hangsUp) await close();
  return { port, [Symbol.asyncDispose]: async () => (hangsUp ? close() : undefined) };
}

test.each([
  ['refused', false],
  ['timeout', true],
] as const)('a member that cannot be dialled is %s', async (cause, hangsUp) => {
  await using listener = await portOf(hangsUp);
  const ends = Promise.withResolvers<LinkEnd>();
  const needs = {
    health: new PeerHealth(time, () => {}),
    counts: new PeerCounts(),
    faults: new FaultCounts(),
  };
  const members = new MemberPeers({
    open: (expected, address) =>
      new PeerClient(
        {
          ...address,
          expected,
          allow: LOOPBACK,
          security: security(),
          self: introduction('self'),
          isKept: true,
        },
        needs,
        {
          opened() {},
          up() {},
          endpoints() {},
          down() {},
          closed() {},
          failed: (error) => members.down(expected, error),
        },
      ),
    up() {},
    down: (_instance, end) => ends.resolve(end),
  });
  members.dial('other', `127.0.0.1:${listener.port}`);
  expect(await ends.promise).toBe(cause);
  members.close(new Error('the test is over'));
  needs.health.close();
});
