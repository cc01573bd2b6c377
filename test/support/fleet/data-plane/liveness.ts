import { inVirtualTime, type VirtualTime } from '../../../../sim/engine/virtual-time.ts';
import type { DataInstance } from './data-instance.ts';
import { DataPlane } from './data-plane.ts';

/** Number of bursts of calls, and of changes. */
const BURSTS = 6;
const CHANGES = 5;
/** Time within which calls come, and within which changes happen, in ms. */
const CALLS_MS = 3_000;
const CHANGES_MS = 4_000;
/** Time after which every call has ended, whatever its share of the places, in ms. */
const END_MS = 90_000;
/** Interval between two looks at the places, in ms. */
const LOOK_MS = 5;
/** Longest time in which a link that broke is dialled again and tells the windows, in ms. */
const REDIAL_MS = 3_000;
/** Time, in ms, and messages within which a call has to take a free place: routes look for lost wake-ups every 50 ms. */
const WAIT_MS = 100;
const WAIT_MESSAGES = 12;

const CHANGE_KINDS = [
  'resize',
  'resize',
  'replica comes',
  'replica dies',
  'other version',
  'cut',
  'cut',
] as const;
type ChangeKind = (typeof CHANGE_KINDS)[number];

/** What a run of bursts and changes left behind. */
export interface LivenessOutcome {
  readonly seed: number;
  readonly script: readonly string[];
  readonly violations: readonly string[];
}

/** Calls that wait at one instance while places are free at another one that it reaches. */
class Stalls {
  readonly violations: string[] = [];
  readonly #boundMs: number;
  /** Time since which calls wait beside free places, by the pair of instances. */
  readonly #since = new Map<string, number>();

  constructor(boundMs: number) {
    this.#boundMs = boundMs;
  }

  look(instances: readonly DataInstance[], at: number, isRested: boolean): void {
    for (const caller of instances)
      for (const host of instances) {
        const pair = `${caller.options.name} and ${host.options.name}`;
        const queued = caller.route.queued + caller.ingress.queued;
        if (!isRested || queued === 0 || host.free === 0) {
          this.#since.delete(pair);
          continue;
        }
        const since = this.#since.get(pair) ?? at;
        this.#since.set(pair, since);
        if (at - since <= this.#boundMs || this.violations.length > 0) continue;
        const what = `${queued} calls wait at the first, ${host.free} places are free at the second`;
        this.violations.push(`${pair}: ${what}, since ${since.toFixed(0)}, now ${at.toFixed(0)}`);
      }
  }
}

/**
 * Bursts of calls, quick and long ones, of which some have sessions or idempotency keys, or name the app only, while limits change, replicas come and
 * go, endpoints get other numbers and links break: no call may wait for long while a place is free at an instance that it reaches.
 */
export function runLiveness(seed: number): Promise<LivenessOutcome> {
  return inVirtualTime(seed, async (time) => {
    const between = (from: number, to: number): number => from + time.random() * (to - from);
    const slowestMs = pick(time, [1, 5, 20]);
    const grown = (places: number): number => places * pick(time, [1, 4]);
    const plane = new DataPlane(time, {
      replicas: [[2], [1, 2], [3], [], []].map((replicas) => replicas.map(grown)),
      idempotent: false,
      delayMs: [0.05, slowestMs],
    });
    const script: string[] = [];
    const [sessions, keys] = [time.random() < 0.4 ? 0.5 : 0, time.random() < 0.3 ? 0.3 : 0];
    const byApp = time.random() < 0.3 ? 0.5 : 0;
    const nameOf = (share: number): string | undefined =>
      time.random() < share ? pick(time, ['a', 'b', 'c', 'd']) : undefined;
    await time.advanceTo(100);
    const begin = time.now();
    for (let burst = 0; burst < BURSTS; burst++)
      time.at(begin + between(0, CALLS_MS), () => {
        const instance = pick(time, plane.instances);
        const count = Math.ceil(between(1, 30));
        const longestMs = pick(time, [10, 300, 3_000]);
        const deadlineMs = time.random() < 0.3 ? between(5, 400) : undefined;
        script.push(
          `${time.now().toFixed(0)}: ${count} calls at ${instance.options.name}, up to ${longestMs} ms`,
        );
        for (let call = 0; call < count; call++)
          plane.call(
            instance,
            between(0.5, longestMs),
            deadlineMs,
            nameOf(keys),
            time.random() < 0.05 ? 100_000 : 0,
            nameOf(sessions),
            time.random() < byApp ? instance.ingress : instance.route,
          );
      });
    let cutAt = -Infinity;
    for (let change = 0; change < CHANGES; change++)
      time.at(begin + between(0, CHANGES_MS), () => {
        const kind = pick(time, CHANGE_KINDS);
        const instance = pick(time, plane.instances.slice(0, 3));
        script.push(`${time.now().toFixed(0)}: ${kind} ${instance.options.name}`);
        if (kind === 'cut') cutAt = time.now();
        carryOut(plane, instance, kind, Math.ceil(between(0, 8)), `v${change + 2}`);
      });
    const stalls = new Stalls(WAIT_MS + WAIT_MESSAGES * slowestMs);
    const areOver = (): boolean =>
      time.now() > begin + CHANGES_MS && plane.calls.every(({ ends }) => ends > 0);
    while (!areOver() && time.now() < begin + END_MS) {
      await time.advanceTo(time.now() + LOOK_MS);
      stalls.look(plane.instances, time.now(), time.now() > cutAt + REDIAL_MS);
    }
    const { violations } = stalls;
    const open = plane.calls.filter(({ ends }) => ends === 0).length;
    if (open > 0) violations.push(`${open} calls are open in the end`);
    if (plane.excess > 0) violations.push(`${plane.excess} calls began without a free place`);
    await plane.close();
    return { seed, script, violations };
  });
}

function carryOut(
  plane: DataPlane,
  instance: DataInstance,
  kind: ChangeKind,
  places: number,
  version: string,
): void {
  switch (kind) {
    case 'resize':
      instance.resize(places);
      return;
    case 'replica comes':
      instance.startReplica(places);
      return;
    case 'other version':
      instance.startReplica(places, version);
      return;
    case 'replica dies':
      if (instance.replicas.size > 1)
        instance.killReplica(plane.pick([...instance.replicas.keys()]) as string);
      return;
    case 'cut':
      plane.cut(instance);
      return;
  }
}

function pick<T>(time: VirtualTime, items: readonly T[]): T {
  return items[Math.floor(time.random() * items.length)] as T;
}
