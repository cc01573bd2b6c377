import { exponential, seeded } from '../engine/random.ts';
import { arrive, SimulatedDeployment } from '../engine/simulated-deployment.ts';
import { poisson } from '../engine/traffic.ts';
import { inVirtualTime } from '../engine/virtual-time.ts';
import { waiting } from '../engine/work.ts';
import type { Scenario } from '../scenario.ts';

const REPLICAS = 8;
const SESSIONS = 64;
const SERVICE = exponential(20);
const PER_SECOND = 400;
const FULL_MS = 120_000;
const WARM_UP_MS = 20_000;

/** Sessions that are not equally busy: how often they stay where they were, and what the busiest replica gets. */
export const sessions: Scenario = {
  name: 'sessions',
  run({ seed, scale }) {
    const endMs = WARM_UP_MS + FULL_MS * scale;
    return inVirtualTime(seed, async (time) => {
      const random = seeded(seed);
      const deployment = await SimulatedDeployment.start(time, { replicas: REPLICAS });
      const traffic = poisson(random, PER_SECOND / 1_000, endMs, SERVICE);
      const last = new Map<string, string | undefined>();
      let stayed = 0;
      let calls = 0;
      arrive(time, traffic.times, (index) => {
        // Denser towards 0: the busiest session makes several times the calls of the median one.
        const sessionId = `session-${Math.floor(SESSIONS * random() ** 1.5)}`;
        deployment.call(waiting(traffic.durations[index] as number), {
          meta: { sessionId },
          onEnded: ({ createdAt, endpoint }) => {
            const before = last.get(sessionId);
            last.set(sessionId, endpoint?.replicaId);
            if (createdAt < WARM_UP_MS || before === undefined) return;
            calls++;
            if (before === endpoint?.replicaId) stayed++;
          },
        });
      });
      const busyMs = (): number[] => deployment.replicas.map(({ busyMs }) => busyMs.get('') ?? 0);
      await time.advanceTo(WARM_UP_MS);
      const before = busyMs();
      await time.advanceTo(endMs);
      const used = busyMs().map((ms, index) => ms - (before[index] as number));
      await deployment.finish(endMs);
      const fair = used.reduce((sum, ms) => sum + ms, 0) / REPLICAS;
      const top = Math.max(...used) / fair;
      const sticky = stayed / calls;
      return {
        measured: [
          { key: 'session_sticky', value: sticky, least: 0.95 },
          { key: 'session_top_share', value: top, most: 1.25 },
        ],
        details: [
          `of their fair share the replicas got ${used.map((ms) => (ms / fair).toFixed(2)).join(', ')}`,
        ],
      };
    });
  },
};
