import { now as machineNow } from './clock.ts';
import { inRootContext } from './root-context.ts';

/** Period of the looks at the clock, in ms. */
const LOOK_MS = 100;
/** A longer gap between two looks is examined: the process was paused, or this thread's event loop was blocked. */
const LONG_GAP_MS = 500;
/** A process that ran has used at least this share of the CPU time that it used to use, and of one core. */
const RAN_SHARE = 0.1;
/** Fewer beats of another thread may have come right before and right after a pause. */
const MIN_BEATS = 3;
/** Weight of the last look in the usual CPU use. */
const NEWEST = 1 / 8;

/** Another thread that shows that it runs. */
export interface Witness {
  /** Counts the beats of its event loop. */
  readonly beats: number;
  /** Period of the beats, in ms. */
  readonly beatMs: number;
}

/** What happened between two looks at the clock that are far apart. */
export interface Gap {
  readonly ms: number;
  /** CPU time of the whole process during the gap, in ms. */
  readonly cpuMs: number;
  /** CPU time of the whole process per ms before the gap. */
  readonly usualCpu: number;
  /** Beats of other threads during the gap, and how many there would have been. */
  readonly beats: ReadonlyArray<{ readonly counted: number; readonly expected: number }>;
}

/**
 * Whether the whole process stood still: it was stopped (SIGSTOP, a frozen container), or its machine was (a laptop that
 * slept, a migrated virtual machine). Otherwise only the looking thread was blocked.
 *
 * Over a gap of 3 s another thread with a beat of 50 ms beats 5 times if the process was stopped, 65 times beside a loop
 * that spins and 60 times beside `execSync`. Without another thread that beats the CPU time decides.
 */
export function wasPause({ ms, cpuMs, usualCpu, beats }: Gap): boolean {
  const hasWitness = beats.some(({ counted, expected }) => counted >= MIN_BEATS && counted >= expected / 2);
  return !hasWitness && cpuMs < ms * RAN_SHARE * Math.max(1, usualCpu);
}

/** Where the meter reads the time and the CPU time of the process, in ms. */
export interface MeterSource {
  now(): number;
  cpuMs(): number;
}

const machine: MeterSource = {
  now: machineNow,
  cpuMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  },
};

/**
 * The time for which this process was able to run: the machine's time without the pauses of the whole process. Nobody is to
 * blame for a pause, so everything that ends a replica, refuses calls or gives something up is measured in this time.
 * Deadlines of calls are not: their callers wait by the clock on the wall.
 */
export class ActiveTime {
  readonly #source: MeterSource;
  readonly #witnesses = new Map<Witness, number>();
  #users = 0;
  #timer: NodeJS.Timeout | undefined = undefined;
  #lookedAt = 0;
  #cpuMs = 0;
  #usualCpu = 0;
  #pausedMs = 0;

  constructor(source: MeterSource = machine) {
    this.#source = source;
  }

  /** In ms. Without anybody who follows it, it passes like the machine's time. */
  now(): number {
    const at = this.#source.now();
    if (this.#users > 0 && at - this.#lookedAt > LONG_GAP_MS) this.look();
    return at - this.#pausedMs;
  }

  /** The length of all pauses so far, in ms. */
  get pausedMs(): number {
    this.now();
    return this.#pausedMs;
  }

  /** Follows the time until the result is called. Does not keep the process alive. */
  follow(): () => void {
    if (this.#users++ === 0) {
      this.#lookedAt = this.#source.now();
      this.#cpuMs = this.#source.cpuMs();
      this.#timer = inRootContext(() => setInterval(() => this.look(), LOOK_MS)).unref();
    }
    let isFollowing = true;
    return () => {
      if (!isFollowing) return;
      isFollowing = false;
      if (--this.#users === 0) clearInterval(this.#timer);
    };
  }

  addWitness(witness: Witness): void {
    this.#witnesses.set(witness, witness.beats);
  }

  removeWitness(witness: Witness): void {
    this.#witnesses.delete(witness);
  }

  /** @internal Notices what happened since the last look. */
  look(): void {
    const at = this.#source.now();
    const ms = at - this.#lookedAt;
    if (ms <= 0) return;
    const used = this.#source.cpuMs();
    const cpuMs = used - this.#cpuMs;
    if (ms > LONG_GAP_MS && wasPause({ ms, cpuMs, usualCpu: this.#usualCpu, beats: this.#beats(ms) }))
      this.#pausedMs += ms - LOOK_MS;
    else this.#usualCpu += (cpuMs / ms - this.#usualCpu) * NEWEST;
    this.#lookedAt = at;
    this.#cpuMs = used;
    for (const witness of this.#witnesses.keys()) this.#witnesses.set(witness, witness.beats);
  }

  #beats(ms: number): Gap['beats'] {
    return [...this.#witnesses].map(([witness, before]) => ({
      counted: (witness.beats - before) | 0,
      expected: ms / witness.beatMs,
    }));
  }
}

/** The active time of this thread's process. */
export const activeTime: ActiveTime = new ActiveTime();
