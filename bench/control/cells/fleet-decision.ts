import { DocumentCodec } from '../../../src/cluster/document-codec.ts';
import { planOf } from '../../../src/cluster/node/control/plan-content.ts';
import { FleetKeys } from '../../../src/cluster/redis/keys.ts';
import { Seal } from '../../../src/cluster/redis/seal.ts';
import { Codec } from '../../../src/wire/codec.ts';
import { mainThreadCpuNs } from '../../harness/cpu-time.ts';
import { median } from '../../harness/statistics.ts';
import type { Cell } from '../cell.ts';
import { FleetOf } from '../fleet-of.ts';

const INSTANCES = 1_000;
const DEPLOYMENTS = 100;
const REPLICAS_EACH = 100;
const PASSES = 15;
const REPORT_MS = 250;

/**
 * One decision of the leader of a fleet of 1,000 instances with 10,000 replicas of 100 autoscaled deployments, with the
 * leader's own code: half of the deployments get a tenth more replicas. Beside it: what a member that comes or goes
 * costs, the size of the plan, and what an instance reports.
 */
export const fleetDecision: Cell = {
  name: 'fleet-decision',
  units: {
    decision: 'ms',
    cpu: 'ms',
    unchanged: 'ms',
    merge: 'ms',
    planBytes: 'B',
    sealedBytes: 'B',
    reportBytesPerS: 'B/s',
  },
  keys: [
    { key: 'control.fleet_decision_1000x10000_ms', metric: 'decision', goal: '≤ 50 ms' },
    { key: 'control.fleet_plan_1000x10000_bytes', metric: 'planBytes', goal: '≤ 1 MiB' },
  ],
  timeoutMs: 120_000,
  rounds: 3,
  async measure() {
    const times: number[] = [];
    const unchanged: number[] = [];
    const merges: number[] = [];
    let cpuNs = 0;
    let plan: ReturnType<typeof planOf> | undefined;
    for (let pass = 0; pass < PASSES; pass++) {
      const fleet = new FleetOf(INSTANCES, DEPLOYMENTS, REPLICAS_EACH);
      merges.push(timed(() => fleet.merge()));
      fleet.report(() => 2, 0);
      if (fleet.leader.decide(fleet.view(), 0) !== undefined) throw new Error('the fleet was not at rest');
      unchanged.push(timed(() => fleet.leader.decide(fleet.view(), REPORT_MS)));
      // The mean load follows a change of it after a while: the decision that changes something is measured.
      let content: ReturnType<FleetOf['leader']['decide']>;
      for (let at = 2; content === undefined && at < 60; at++) {
        fleet.report((deployment) => (deployment % 2 === 0 ? 2 : 2.2), at * REPORT_MS);
        const view = fleet.view();
        const cpuBegin = mainThreadCpuNs() ?? 0;
        const took = timed(() => {
          content = fleet.leader.decide(view, at * REPORT_MS);
        });
        if (content === undefined) continue;
        times.push(took);
        cpuNs += (mainThreadCpuNs() ?? 0) - cpuBegin;
        plan = planOf(content, 2, 1, 'a#1');
      }
    }
    if (plan === undefined) throw new Error('nothing was decided');
    const total = Object.values(plan.counts)
      .flat()
      .reduce((sum, count) => sum + count, 0);
    if (total <= DEPLOYMENTS * REPLICAS_EACH) throw new Error(`${total} replicas are planned`);
    const codec = new DocumentCodec(
      new FleetKeys('bench'),
      new Seal(['a secret of the fleet, for a bench!']),
    );
    const loads = new FleetOf(INSTANCES, DEPLOYMENTS, REPLICAS_EACH).loadsOf(0, () => 2);
    const full = new Codec().encode([{ kind: 'report', isFull: true, loads }]).length;
    // The ten deployments that have a replica there change all the time; a full report follows every 5 s.
    const busy = Object.fromEntries(Object.entries(loads).filter(([, { running }]) => running > 0));
    const partial = new Codec().encode([{ kind: 'report', isFull: false, loads: busy }]).length;
    return {
      decision: median(times),
      cpu: cpuNs / 1e6 / PASSES,
      unchanged: median(unchanged),
      merge: median(merges),
      planBytes: Buffer.byteLength(JSON.stringify(plan)),
      sealedBytes: codec.sealPlan(plan).reduce((sum, page) => sum + page.length, 0),
      reportBytesPerS: partial * (1_000 / REPORT_MS) + full / 5,
    };
  },
};

function timed(run: () => unknown): number {
  const begin = performance.now();
  run();
  return performance.now() - begin;
}
