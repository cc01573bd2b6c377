import { describe, expect, test } from 'vitest';
import type { Probe } from '../../fixtures/calls/fleet.ts';
import { fleetInstance } from '../../support/fleet/instances.ts';
import { linked } from '../../support/fleet/linked.ts';
import { Member } from '../../support/fleet/members.ts';
import { eventually } from '../../support/until.ts';

/** Time limit where processes start, on a busy machine. */
const START_MS = 180_000;

describe('limits', () => {
  test(
    'hold over the callers of three instances',
    async () => {
      const start = (): Promise<Member> => Member.start({ replicas: 1, maxOngoingRequests: 3 });
      const members = await Promise.all([start(), start(), start()]);
      await using disposables = new AsyncDisposableStack();
      for (const member of members) disposables.use(member);
      for (const member of members) {
        const peers = members.filter((other) => other !== member).map(({ address }) => address);
        await member.tell({ type: 'peers', peers });
      }
      for (const member of members)
        await eventually(async () => {
          const served = await member.tell({ type: 'load', calls: 60, atOnce: 12, ms: 5 });
          return Object.keys(served as object).length === members.length;
        }, START_MS);
      await using observer = await fleetInstance({ peers: members.map(({ address }) => address) });
      await linked(observer, 3);
      const loads = await Promise.all(
        members.map(async (member) => await member.tell({ type: 'load', calls: 300, atOnce: 12, ms: 5 })),
      );
      const served = loads.map((load) => load as Record<string, number>);
      for (const load of served) expect(Object.values(load).reduce((sum, calls) => sum + calls, 0)).toBe(300);
      // Each instance had calls of its own and of others.
      for (const { pid } of members)
        expect(served.filter((load) => (load[pid] ?? 0) > 0).length).toBeGreaterThan(1);
      const handle = observer.serve.handle<Probe>('probe');
      const peaks = await handle.broadcast('peak');
      expect(peaks).toHaveLength(3);
      for (const peak of peaks) expect(peak).toBeLessThanOrEqual(3);
    },
    START_MS,
  );
});
