import { describe, expect, test } from 'vitest';
import type { FakeReplica } from '../../../test/support/routing/fake-replica.ts';
import { hold } from '../../../test/support/routing/model-calls.ts';
import { Harness } from '../../../test/support/routing/route-harness.ts';

/** A replica here and an endpoint of a peer with the same version, and a peer with another one: two places each. */
function fleet(version: string | undefined = 'v1') {
  const harness = new Harness({ version });
  const replicas = {
    local: harness.start(2),
    same: harness.start(2, 'peer'),
    other: harness.start(2, 'peer', 'v2'),
  };
  return { harness, ...replicas };
}

const ongoing = (...replicas: FakeReplica[]): number[] => replicas.map((replica) => replica.ongoing);

describe('calls where other instances run another version', () => {
  test.each([undefined, true, false])(
    'go to replicas of their own version while there is room (preferLocal: %s)',
    (preferLocal) => {
      const { harness, local, same, other } = fleet();
      const options = preferLocal === undefined ? {} : { preferLocal };
      for (let call = 0; call < 4; call++) harness.call(options);
      expect(ongoing(local, same, other)).toEqual([2, 2, 0]);
      harness.call(options);
      expect(ongoing(local, same, other)).toEqual([2, 2, 1]);
    },
  );

  test('go to another version rather than wait at a peer of their own, and wait there before they wait at another', () => {
    const { harness, local, same, other } = fleet();
    for (const peer of [same, other]) peer.roomToWait = 1;
    for (let call = 0; call < 6; call++) harness.call();
    expect(ongoing(local, same, other)).toEqual([2, 2, 2]);
    harness.call();
    expect(ongoing(local, same, other)).toEqual([2, 3, 2]);
    harness.call();
    expect(ongoing(local, same, other)).toEqual([2, 3, 3]);
  });

  test('go back to their own version once it has room', () => {
    const { harness, local, same, other } = fleet();
    for (let call = 0; call < 5; call++) harness.call();
    same.answer(same.open[0], (call) => call.succeeded(0));
    harness.call();
    expect(ongoing(local, same, other)).toEqual([2, 2, 1]);
  });

  test('go anywhere while no replica of their own version is there, or there is no such version', () => {
    const { harness, local, same, other } = fleet('v3');
    for (const replica of [local, same]) harness.route.remove(replica.endpoint.replicaId, undefined);
    for (let call = 0; call < 2; call++) harness.call();
    expect(other.ongoing).toBe(2);
    const foreign = fleet(undefined);
    for (let call = 0; call < 6; call++) foreign.harness.call({ preferLocal: false });
    expect(ongoing(foreign.local, foreign.same, foreign.other)).toEqual([2, 2, 2]);
  });

  test('go to replicas of this instance whatever their version: an update here needs calls for both', () => {
    const harness = new Harness({ version: 'v2' });
    const [before, after] = [harness.start(4), harness.start(4, 'local', 'v2')];
    const peer = harness.start(4, 'peer', 'v1');
    for (let call = 0; call < 8; call++) harness.call();
    expect(ongoing(before, after, peer)).toEqual([4, 4, 0]);
  });

  test('follow a new version of this instance', () => {
    const { harness, local, same, other } = fleet();
    harness.route.configure({ ...harness.route.config, version: 'v2' });
    for (let call = 0; call < 4; call++) harness.call();
    expect(ongoing(local, same, other)).toEqual([2, 0, 2]);
  });

  test('of a session go to its replica of their own version, and elsewhere only when that version is full', () => {
    const { harness, local, same, other } = fleet();
    for (let session = 0; session < 4; session++) harness.call({ session: `s${session}` });
    expect(ongoing(local, same, other)).toEqual([2, 2, 0]);
    harness.call({ session: 's9' });
    expect(other.ongoing).toBe(1);
  });

  test('wait for the replica of their own version that holds their model, while it has room for other calls', () => {
    const { harness, local, same, other } = fleet();
    harness.route.remove(same.endpoint.replicaId, undefined);
    hold(local, ['m']);
    hold(other, ['n']);
    harness.call({ model: 'n' });
    expect(other.ongoing).toBe(0);
    harness.call({ model: 'm' });
    expect(local.ongoing).toBe(2);
    harness.call({ model: 'n' });
    expect(other.ongoing).toBe(1);
  });
});
