import { monitorEventLoopDelay } from 'node:perf_hooks';
import { CALM, type LagState, nextLag, type SheddingLevel } from '../../controller/lag-level.ts';
import { ServeError } from '../../errors.ts';
import { type AdmissionControl, SHED_NOTHING } from '../../handle/queue/admission-control.ts';
import { priorityRank } from '../../handle/queue/priority.ts';
import type { Events } from '../../observe/events.ts';
import type { Logger } from '../../observe/logger.ts';
import { activeTime } from '../../time/active-time.ts';
import { inRootContext } from '../../time/root-context.ts';
import { boolean, type Fields, milliseconds } from '../../validation/fields.ts';

/** Options for refusing calls while the host's own event loop lags. */
export interface HostGuardOptions {
  /** Default true. When it is off the lag is measured nevertheless. */
  enabled?: boolean;
  /** p99 of the event loop's lag above which `sheddable` and `sheddable-plus` calls are refused, in ms. Default 100. */
  shedSheddableMs?: number;
  /** p99 of the event loop's lag above which all calls are refused, in ms. Default 500. */
  shedAllMs?: number;
}

export const HOST_GUARD_FIELDS: Fields<HostGuardOptions> = {
  enabled: boolean(),
  shedSheddableMs: milliseconds(1),
  shedAllMs: milliseconds(1),
};

/** The lag is judged once per window. */
const WINDOW_MS = 500;
/** Period of the probe. Its own wait is part of the lag that Node measures. */
const RESOLUTION_MS = 20;

const SHED_FROM: Readonly<Record<SheddingLevel, number>> = {
  nothing: SHED_NOTHING,
  sheddable: priorityRank('sheddable-plus'),
  everything: 0,
};

/**
 * Sheds load while the host's event loop lags: every further call would make all of them later. Calls are refused at the
 * gate, least important calls first; accepted calls continue.
 */
export class OverloadGuard {
  readonly #options: Required<HostGuardOptions>;
  readonly #gate: AdmissionControl;
  readonly #events: Events;
  readonly #log: Logger;
  #probe: ReturnType<typeof monitorEventLoopDelay> | undefined = undefined;
  #timer: NodeJS.Timeout | undefined = undefined;
  #state: LagState = CALM;
  #lagMs = 0;
  #pausedMs = 0;
  /** Whether the log says that calls are refused: a lag during which no call arrives, such as that of a start, is not logged. */
  #hasWarned = false;
  /** Whether the last window contained a pause of the whole process. */
  #isAfterPause = false;

  constructor(options: HostGuardOptions, gate: AdmissionControl, events: Events, log: Logger) {
    this.#options = { enabled: true, shedSheddableMs: 100, shedAllMs: 500, ...options };
    this.#gate = gate;
    this.#events = events;
    this.#log = log;
  }

  /** p99 of the event loop's lag in the last window, in ms. */
  get lagMs(): number {
    return this.#lagMs;
  }

  get level(): SheddingLevel {
    return this.#state.level;
  }

  /** Idempotent. */
  start(): void {
    if (this.#timer !== undefined) return;
    this.#probe = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    this.#probe.enable();
    this.#timer = setInterval(() => this.#judge(), WINDOW_MS).unref();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#probe?.disable();
    this.#gate.shed(SHED_NOTHING);
  }

  #judge(): void {
    const probe = this.#probe;
    if (probe === undefined || probe.count === 0) return;
    if (this.#wasPaused()) {
      probe.reset();
      return;
    }
    this.#lagMs = Math.max(0, probe.percentile(99) / 1e6 - RESOLUTION_MS);
    probe.reset();
    if (!this.#options.enabled) return;
    const { level } = this.#state;
    this.#state = nextLag(this.#state, this.#lagMs, this.#options);
    if (this.#state.level !== level) this.#changed();
  }

  /** A pause is not lag. The order of timers after it decides which of two windows counts it. */
  #wasPaused(): boolean {
    const { pausedMs } = activeTime;
    const isPause = pausedMs !== this.#pausedMs;
    this.#pausedMs = pausedMs;
    const isSkipped = isPause || this.#isAfterPause;
    this.#isAfterPause = isPause;
    return isSkipped;
  }

  #changed(): void {
    const { level } = this.#state;
    const lagMs = Math.round(this.#lagMs);
    const about = { shedding: level, lagMs };
    const what = level === 'everything' ? 'all calls' : 'sheddable calls';
    const message = `the host's event loop lags (p99 ${lagMs} ms): ${what} are refused`;
    this.#gate.shed(SHED_FROM[level], () => {
      this.#hasWarned = true;
      inRootContext(() => this.#log.warn(about, message));
    });
    if (level === 'nothing') {
      this.#recovered(about);
      return;
    }
    this.#events.emit('fault', {
      reason: 'host overload',
      error: new ServeError('SERVE_BACKPRESSURE', message),
    });
  }

  #recovered(about: object): void {
    if (this.#hasWarned) this.#log.info(about, 'the host recovered: all calls are accepted again');
    this.#hasWarned = false;
    this.#events.emit('fault', { reason: 'host recovered', error: undefined });
  }
}
