import type { ReplicaStatus } from '../../../controller/status.ts';
import { ejectionMs } from '../../../handle/endpoints/outlier-ejection.ts';
import type { EjectionRecord } from '../../../load/ejection-record.ts';
import type { ReplicaTally } from '../../../load/replica-tally.ts';
import type { Events } from '../../../observe/events.ts';
import type { Logger } from '../../../observe/logger.ts';

/** A replica that callers may eject. */
interface Ejectable {
  readonly replicaId: string;
  readonly tally: ReplicaTally;
}

/** Reports in events, the log and the status which replicas callers eject because too many of their calls fail. */
export class EjectionMonitor {
  readonly #about: { readonly app: string; readonly deployment: string };
  readonly #events: Events;
  readonly #log: Logger;
  /** Reasons by replica. */
  #ejected: ReadonlyMap<string, string> = new Map();

  constructor(app: string, deployment: string, events: Events, log: Logger) {
    this.#about = { app, deployment };
    this.#events = events;
    this.#log = log;
  }

  /** Called every 250 ms. */
  look(replicas: Iterable<Ejectable>): void {
    const before = this.#ejected;
    const ejected = new Map<string, string>();
    for (const { replicaId, tally } of replicas) {
      if (tally.ejection.level > 0) ejected.set(replicaId, reasonOf(tally.ejection));
      if (ejected.has(replicaId) === before.has(replicaId)) continue;
      const reason = ejected.get(replicaId);
      if (reason === undefined) this.#tell(replicaId, 'RUNNING', 'it is called again', 'info');
      else this.#tell(replicaId, 'EJECTED', reason, 'warn');
    }
    this.#ejected = ejected;
  }

  /** The status of the replicas, as of the last look. */
  describe(replicas: readonly ReplicaStatus[]): ReplicaStatus[] {
    return replicas.map((status) => {
      const reason = this.#ejected.get(status.id);
      return reason === undefined || status.state !== 'RUNNING'
        ? status
        : { ...status, state: 'EJECTED', reason };
    });
  }

  #tell(replica: string, state: string, reason: string, level: 'info' | 'warn'): void {
    const about = { ...this.#about, replica };
    this.#events.emit('replica', { ...about, state, reason });
    const what = state === 'EJECTED' ? 'is left out' : 'is back in service';
    this.#log[level](about, `${about.deployment}: replica ${replica} ${what}: ${reason}`);
  }
}

function reasonOf({ level, evidence }: EjectionRecord): string {
  const { calls, failures, siblingCalls, siblingFailures } = evidence;
  return (
    `${failures} of ${calls} calls failed (other replicas: ${siblingFailures} of ${siblingCalls}); ` +
    `it gets one call every ${ejectionMs(level) / 1_000} s until one succeeds`
  );
}
