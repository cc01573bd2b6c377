import type { FleetFrame, LocalLoad, LocalLoads } from './events.ts';
import type { FleetTiming } from './timing.ts';

type Report = Extract<FleetFrame, { kind: 'report' }>;

/** Makes an instance's reports to its leader: changed deployments each time, and all deployments periodically. */
export class Reporter {
  readonly #timing: FleetTiming;
  #sent: LocalLoads = {};
  #fullAt = -Infinity;
  #to = '';

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  /** @returns undefined if nothing changed */
  next(loads: LocalLoads, leader: string, now: number): Report | undefined {
    if (leader !== this.#to || now - this.#fullAt >= this.#timing.fullReportMs) {
      this.#to = leader;
      this.#fullAt = now;
      this.#sent = loads;
      return { kind: 'report', isFull: true, loads };
    }
    const changed = Object.entries(loads).filter(([key, load]) => !isSame(load, this.#sent[key]));
    if (changed.length === 0) return undefined;
    this.#sent = loads;
    return { kind: 'report', isFull: false, loads: Object.fromEntries(changed) };
  }

  /** The link to the leader is new, and so its knowledge is unknown: the next report is complete. */
  restart(): void {
    this.#to = '';
  }
}

/** The load of one deployment over the fleet. */
export interface FleetLoad {
  readonly running: number;
  readonly queued: number;
  readonly ongoing: number;
  /** Total number of ended calls, which never falls. */
  readonly ended: number;
}

interface Known {
  at: number;
  loads: Record<string, LocalLoad>;
}

/** The leader's knowledge from the reports of the instances. */
export class Reports {
  readonly #timing: FleetTiming;
  readonly #known = new Map<string, Known>();
  /** The loads that are not idle, by deployment and instance: few of the instances have replicas of a deployment. */
  readonly #active = new Map<string, Map<string, LocalLoad>>();
  readonly #ended = new Map<string, number>();

  constructor(timing: FleetTiming) {
    this.#timing = timing;
  }

  take(id: string, { isFull, loads }: Report, now: number): void {
    const known = this.#known.get(id);
    if (known === undefined && !isFull) return;
    for (const [key, load] of Object.entries(loads)) {
      const before = known?.loads[key]?.ended ?? load.ended;
      // A count that fell belongs to a new life of the instance.
      const more = load.ended >= before ? load.ended - before : load.ended;
      this.#ended.set(key, (this.#ended.get(key) ?? 0) + more);
    }
    if (isFull)
      for (const key in known?.loads) if (!Object.hasOwn(loads, key)) this.#active.get(key)?.delete(id);
    for (const [key, load] of Object.entries(loads)) this.#note(id, key, load);
    const next = isFull ? { ...loads } : { ...known?.loads, ...loads };
    this.#known.set(id, { at: now, loads: next });
  }

  drop(id: string): void {
    this.#known.delete(id);
    for (const byInstance of this.#active.values()) byInstance.delete(id);
  }

  /** The instances where a deployment has or wants replicas, has calls, or failed to start. */
  active(deployment: string): ReadonlyMap<string, LocalLoad> {
    return this.#active.get(deployment) ?? NONE;
  }

  #note(id: string, key: string, load: LocalLoad): void {
    const byInstance = this.#active.get(key);
    if (isIdle(load)) byInstance?.delete(id);
    else if (byInstance === undefined) this.#active.set(key, new Map([[id, load]]));
    else byInstance.set(id, load);
  }

  has(id: string): boolean {
    return this.#known.has(id);
  }

  load(id: string, deployment: string): LocalLoad | undefined {
    return this.#known.get(id)?.loads[deployment];
  }

  /** Whether the numbers of a member are too old to justify the removal of replicas. */
  isSilent(id: string, now: number): boolean {
    const known = this.#known.get(id);
    return known === undefined || now - known.at > this.#timing.fullReportMs + this.#timing.silentMs / 5;
  }

  /** Sums the load over live members; a silent member keeps its last numbers. */
  sum(deployment: string, members: ReadonlySet<string>): FleetLoad {
    let [running, queued, ongoing] = [0, 0, 0];
    for (const [id, load] of this.active(deployment)) {
      if (!members.has(id)) continue;
      running += load.running;
      queued += load.queued;
      ongoing += load.ongoing;
    }
    return { running, queued, ongoing, ended: this.#ended.get(deployment) ?? 0 };
  }
}

const NONE: ReadonlyMap<string, LocalLoad> = new Map();

function isIdle({ target, running, starting, queued, ongoing, failures }: LocalLoad): boolean {
  return target + running + starting + queued + ongoing + failures === 0;
}

function isSame(a: LocalLoad, b: LocalLoad | undefined): boolean {
  return (
    b !== undefined &&
    a.target === b.target &&
    a.running === b.running &&
    a.starting === b.starting &&
    a.queued === b.queued &&
    a.ongoing === b.ongoing &&
    a.ended === b.ended &&
    a.failures === b.failures &&
    (a.replicas === b.replicas || JSON.stringify(a.replicas) === JSON.stringify(b.replicas))
  );
}
