/** Levels of load shedding: no calls, calls of the two sheddable priorities, all calls. */
export const SHEDDING_LEVELS = ['nothing', 'sheddable', 'everything'] as const;
export type SheddingLevel = (typeof SHEDDING_LEVELS)[number];

export interface LagThresholds {
  /** p99 of the event loop's lag above which sheddable calls are refused, in ms. */
  readonly shedSheddableMs: number;
  /** p99 of the event loop's lag above which all calls are refused, in ms. */
  readonly shedAllMs: number;
}

export interface LagState {
  readonly level: SheddingLevel;
  /** Consecutive windows whose lag calls for a higher level, or for a lower one. */
  readonly above: number;
  readonly below: number;
}

export const CALM: LagState = { level: 'nothing', above: 0, below: 0 };

/** One long garbage collection is not overload; two consecutive windows of high lag are. */
const RAISE_AFTER = 2;
const LOWER_AFTER = 4;
/** Share of the raising threshold below which the lag must fall to lower the level; else the level would rise again. */
const RELIEF = 0.5;

/** Computes the state after a window with this lag. */
export function nextLag(state: LagState, p99Ms: number, thresholds: LagThresholds): LagState {
  const current = SHEDDING_LEVELS.indexOf(state.level);
  const wanted = SHEDDING_LEVELS.indexOf(levelOf(p99Ms, thresholds));
  if (wanted > current) {
    const above = state.above + 1;
    return above < RAISE_AFTER
      ? { ...state, above, below: 0 }
      : { ...CALM, level: SHEDDING_LEVELS[wanted] ?? state.level };
  }
  const relieved = SHEDDING_LEVELS.indexOf(levelOf(p99Ms / RELIEF, thresholds));
  if (relieved < current) {
    const below = state.below + 1;
    return below < LOWER_AFTER
      ? { ...state, above: 0, below }
      : { ...CALM, level: SHEDDING_LEVELS[current - 1] ?? state.level };
  }
  return { ...CALM, level: state.level };
}

function levelOf(p99Ms: number, { shedSheddableMs, shedAllMs }: LagThresholds): SheddingLevel {
  if (p99Ms > shedAllMs) return 'everything';
  return p99Ms > shedSheddableMs ? 'sheddable' : 'nothing';
}
