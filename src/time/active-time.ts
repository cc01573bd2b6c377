import { now as machineNow } from './clock.ts';
import { inRootContext } from './root-context.ts';

/** The period of the readings of the clock, in ms. */
const LOOK_MS = 100;
/** A longer gap between two readings, in ms, means that the process was paused or this thread's event loop was blocked. */
const LONG_GAP_MS = 500;
/** A process that was running used at least this share of its usual CPU time, and of one core. */
const RAN_SHARE = 0.1;
/** Fewer beats of another thread prove nothing: they may have come right before and right after a pause. */
const MIN_BEATS = 3;
/** The weight of the last reading in the usual CPU use. */
const NEWEST = 1 / 8;

/** Another thread whose beats show that it runs. */
export interface Witness {
  /** The number of beats of its event loop. */
  readonly beats: number;
  /** The period of the beats, in ms. */
  readonly beatMs: number;
}

/** The measurements between two readings of the clock that are far apart. */
export interface Gap {
  readonly ms: number;
  /** CPU time of the whole process during the gap, in ms. */
  readonly cpuMs: number;
  /** CPU time of the whole process per ms before the gap. */
  readonly usualCpu: number;
  /** The beats of other threads during the gap, and the number that a running thread would have made. */
  readonly beats: ReadonlyArray<{ readonly counted: number; readonly expected: number }>;
}

/**
 * Whether the whole process was paused: it was stopped (SIGSTOP, a frozen container), or its machine was (a laptop that
 * slept, a migrated virtual machine). Otherwise only the thread that reads the clock was blocked.
 *
 * Over a gap of 3 s another thread with a beat of 50 ms beats 5 times if the process was stopped, 65 times beside a loop
 * that spins and 60 times beside `execSync`. Without another thread that beats, the CPU time decides.
 */
export function wasPause({ ms, cpuMs, usualCpu, beats }: Gap): boolean {
  const hasWitness = beats.some(({ counted, expected }) => counted >= MIN_BEATS && counted >= expected / 2);
  return !hasWitness && cpuMs < ms * RAN_SHARE * Math.max(1, usualCpu);
}

/** The source of the time and of the CPU time of the process, both in ms. */
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
 * The time during which this process was able to run: the machine's time without the pauses of the whole process. No replica
 * is to blame for a pause, so every limit that ends a replica, refuses calls or gives work up is measured in this time.
 * Deadlines of calls are not, because callers wait by the wall clock.
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
  #pauseEndedAt = 0;

  constructor(source: MeterSource = machine) {
    this.#source = source;
  }

  /** The active time in ms. While nothing follows it, it passes like the machine's time. */
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

  /**
   * Whether a pause lies between two times of `clock.now()`: a duration that was measured over it says nothing. Answers false
   * where nothing follows the time. Costs a comparison for the short times of most calls.
   */
  spansPause(from: number, to: number): boolean {
    if (to - from <= LONG_GAP_MS || from === 0 || this.#users === 0) return false;
    this.now();
    return this.#pauseEndedAt > from;
  }

  /** Detects pauses until the returned function is called. Does not keep the process alive. */
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

  /** @internal Reads the clock and decides whether the gap since the last reading was a pause. */
  look(): void {
    const at = this.#source.now();
    const ms = at - this.#lookedAt;
    if (ms <= 0) return;
    const used = this.#source.cpuMs();
    const cpuMs = used - this.#cpuMs;
    if (ms > LONG_GAP_MS && wasPause({ ms, cpuMs, usualCpu: this.#usualCpu, beats: this.#beats(ms) })) {
      this.#pausedMs += ms - LOOK_MS;
      this.#pauseEndedAt = at;
    } else {
      this.#usualCpu += (cpuMs / ms - this.#usualCpu) * NEWEST;
    }
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
