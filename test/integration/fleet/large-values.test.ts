import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { DeploymentHandle, ServeError } from '../../../src/index.ts';
import { chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import { seededRandom } from '../../../src/testing/random.ts';
import { type Front, front as frontDeployment, type Probe } from '../../fixtures/calls/fleet.ts';
import { fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;
/** Calls at a time: far more than the places of both peers. */
const CALLS = 40;

/** Bytes that differ from call to call and from place to place. */
function pattern(call: number, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(length).map((_, index) => (index * 31 + call * 17 + (index >> 8)) % 256);
}

describe.each([{ trustNetwork: true }, { trustNetwork: false }])('large values, with %j,', (fleet) => {
  const resources = new AsyncDisposableStack();
  let handle: DeploymentHandle<Probe>;
  let front: DeploymentHandle<Front>;

  beforeAll(async () => {
    const members = await Promise.all([1, 2].map(() => Member.start({ maxOngoingRequests: 2, fleet })));
    for (const member of members) resources.use(member);
    const caller = resources.use(
      await fleetInstance({ ...fleet, peers: members.map(({ address }) => address) }),
    );
    await linked(caller, 2);
    handle = caller.serve.handle<Probe>('probe');
    await caller.serve.run(frontDeployment.bind(), { name: 'front' });
    front = caller.serve.handle<Front>('front');
  }, START_MS);

  afterAll(() => resources.disposeAsync());

  test('arrive whole while peers refuse calls, and the buffers of the caller stay its own', async () => {
    for (let round = 0; round < 3; round++) {
      const results = Array.from({ length: CALLS }, async (_, call) => {
        const length = 70_000 + call * 20_011;
        const own = pattern(call, length);
        const response = handle.echo.remote({ own, list: [call] });
        // The caller may change its buffer once the call is made.
        own.fill(255);
        const back = (await response) as { own: Uint8Array; list: number[] };
        expect(Buffer.compare(back.own, pattern(call, length))).toBe(0);
        expect(back.list).toEqual([call]);
        expect([own.byteLength, own[0]]).toEqual([length, 255]);
        // So is the memory of the result.
        back.own.fill(1);
        return back.own;
      });
      for (const back of await Promise.all(results)) expect(back.every((byte) => byte === 1)).toBe(true);
    }
  });

  test('arrive whole as chunks of a stream', async () => {
    const seen: number[] = [];
    for await (const chunk of handle.blocks.remote(20, 100_000)) {
      expect(Buffer.compare(chunk, Buffer.alloc(100_000, seen.length))).toBe(0);
      seen.push(chunk.length);
    }
    expect(seen).toHaveLength(20);
  });

  test('arrive whole from a replica of this instance, whose calls the fleet thread passes on', async () => {
    const blocks = await front.echoBlocks.remote(CALLS, 100_000);
    expect(blocks.map((block, at) => block.length === 100_000 && block.every((byte) => byte === at))).toEqual(
      blocks.map(() => true),
    );
  });
});

test(
  'large values are whole or fail over a network that cuts them into pieces and breaks off in the middle',
  async () => {
    await using far = await Member.start();
    await using proxy = await chaosProxy({ targetPort: far.address.port, seed: 7 });
    await using caller = await fleetInstance({ peers: [{ host: '127.0.0.1', port: proxy.port }] });
    await linked(caller, 1);
    const handle = caller.serve.handle<Probe>('probe').options({ timeoutMs: 30_000 });
    const random = seededRandom(7);
    const outcomes = new Map<string, number>();
    const ended = (): number => [...outcomes.values()].reduce((sum, count) => sum + count, 0);
    const echo = async (call: number): Promise<void> => {
      const own = pattern(call, 300_000);
      const outcome = await handle.echo.remote(own).then(
        (back) => {
          expect(Buffer.compare(back as Uint8Array, pattern(call, 300_000))).toBe(0);
          return 'ok';
        },
        (error: ServeError) => error.code,
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      expect(Buffer.compare(own, pattern(call, 300_000))).toBe(0);
    };
    proxy.set({ sliceBytes: 5_000 });
    await Promise.all(Array.from({ length: 8 }, (_, call) => echo(call)));
    expect(outcomes).toEqual(new Map([['ok', 8]]));
    for (let round = 0; round < 5; round++) {
      const under = Promise.all(Array.from({ length: 4 }, (_, call) => echo(call)));
      const direction = random() < 0.5 ? proxy.toTarget : proxy.toClient;
      direction.set({ resetAfterBytes: Math.floor(random() * 600_000) });
      await eventually(() => ended() > 8 + 4 * round);
      proxy.heal();
      await under;
    }
    outcomes.delete('ok');
    outcomes.delete('SERVE_REPLICA_DIED');
    expect(outcomes).toEqual(new Map());
  },
  START_MS,
);
