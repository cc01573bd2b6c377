import { expect, test } from 'vitest';
import { chaosProxy } from '../../../src/testing/chaos-proxy.ts';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { fleetInstance } from '../../support/fleet/instances.ts';
import { Member } from '../../support/fleet/members.ts';
import { event, eventually } from '../../support/until.ts';

/** Time limit where processes start and are found out, on a busy machine. */
const LIMIT_MS = 120_000;

test(
  'an instance whose links break again and again gets no calls, even over an open link, until one has held',
  async () => {
    await using resources = new AsyncDisposableStack();
    const start = (): Promise<Member> => Member.start({ maxOngoingRequests: 16 });
    const [near, far] = await Promise.all([start(), start()]);
    for (const member of [near, far]) resources.use(member);
    const proxy = resources.use(await chaosProxy({ targetPort: far.address.port, seed: 1 }));
    const peers = [near.address, { host: '127.0.0.1', port: proxy.port }];
    const { serve, fleet, log } = resources.use(await fleetInstance({ peers }));
    const handle = serve.handle<Probe>('probe');
    const answering = async (): Promise<Set<number>> =>
      new Set(await Promise.all(Array.from({ length: 12 }, () => handle.holdAgain.remote(20))));
    await eventually(() =>
      answering().then(
        ({ size }) => size === 2,
        () => false,
      ),
    );
    const ejected = event(
      serve,
      'peer',
      ({ state, instance }) => state === 'EJECTED' && instance === far.instance,
      LIMIT_MS,
    );
    const stop = serve.on('peer', ({ state, instance }) => {
      if (state === 'LINKED' && instance === far.instance) proxy.reset();
    });
    proxy.reset();
    expect((await ejected).reason).toMatch(
      /^5 links in a row broke soon after they were opened; it gets no calls until one holds/,
    );
    stop();
    const returned = event(
      serve,
      'peer',
      ({ state, instance }) => state === 'LINKED' && instance === far.instance,
      LIMIT_MS,
    );
    let isBack = false;
    void returned.then(
      () => {
        isBack = true;
      },
      () => {},
    );
    await eventually(() => isBack || fleet.peers.join() === near.instance);
    // The link works again from now on, and has to prove itself, which may be over sooner than the rounds of a busy machine.
    for (let round = 0; round < 20; round++) {
      const pids = await answering();
      if (!isBack) expect(pids).toEqual(new Set([near.pid]));
    }
    const metrics = await serve.metrics();
    expect(metrics).toMatch(/^serve_peer_ejections_total [1-9]/m);
    expect(metrics).toMatch(/^serve_peer_calls_total [1-9]/m);
    expect(metrics).toMatch(/^serve_peer_bytes_total\{direction="in"\} [1-9]/m);
    expect(log.records.map(({ message }) => message)).toContainEqual(
      expect.stringMatching(`^instance ${far.instance} gets no calls: 5 links`),
    );
    await returned;
    await eventually(async () => (await answering()).size === 2);
  },
  LIMIT_MS,
);
