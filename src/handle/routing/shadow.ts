import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';
import { Capture, RESULT } from '../../values/capture.ts';
import { describe } from '../../values/describe-value.ts';
import { digest, type Subject } from '../../values/digest.ts';
import type { Marks } from '../../values/marks.ts';
import { Call } from '../call/call.ts';
import type { ShadowCopy } from '../call/call-copies.ts';
import type { Counters } from '../call/counters.ts';
import { outcomeOf } from '../call/outcome.ts';
import { PRIORITIES } from '../queue/priority.ts';
import type { Route } from './route.ts';
import type { TrafficSplit } from './traffic-split.ts';
import type { TrialRoute } from './trial-route.ts';

const LEAST_IMPORTANT = PRIORITIES.length - 1;

/**
 * A shadow: sends a copy of each call to another app, and counts whether both results are equal. The call itself is
 * unaffected: a copy is the first to be shed, is never retried, and its failures are only counted.
 */
export class Shadow implements TrafficSplit<Route> {
  readonly #trial: TrialRoute;
  readonly #counters: Counters;

  constructor(trial: TrialRoute, counters: Counters) {
    this.#trial = trial;
    this.#counters = counters;
  }

  divert(call: Call): undefined {
    try {
      const route = this.#trial.current;
      if (route.isOpen && isCopyable(call)) this.#copy(call, route);
      else this.#counters.add('shadow_dropped');
    } catch {
      this.#counters.add('shadow_dropped');
    }
  }

  #copy(call: Call, route: Route): void {
    const copy = new ShadowCall(route, call, this.#counters);
    call.shadowedBy(copy);
    route.begin(copy, call.expiresAt);
    // The original call goes first.
    queueMicrotask(() => {
      if (!copy.isSettled) route.dispatch(copy);
    });
  }
}

/** Whether a call can be copied: moved or uploaded data exists only once. */
function isCopyable({ transfer, meta, method }: Call): boolean {
  return transfer === undefined && meta?.upload === undefined && method !== WEBSOCKET_METHOD_NAME;
}

/**
 * Outcome of a call for the comparison: a hash of its result, or the text of its error; undefined: the outcome cannot
 * be compared.
 */
type Finding = { readonly isError: boolean; readonly text: string } | undefined;

class ShadowCall extends Call implements ShadowCopy {
  readonly #counters: Counters;
  /** Number of the two calls, original and copy, that have ended. */
  #ended = 0;
  #original: Finding = undefined;
  #own: Finding = undefined;

  constructor(route: Route, call: Call, counters: Counters) {
    super(route, call.method);
    this.#counters = counters;
    this.args = call.route.config.isByReference ? structuredClone(call.args) : call.args;
    this.marks = call.marks;
    this.bytes = call.bytes;
    this.priorityRank = LEAST_IMPORTANT;
    this.meta = { ...call.meta, requestId: call.requestId, priority: LEAST_IMPORTANT };
  }

  /** The copy has no tenant, since the original has been charged. */
  override get tenant(): string {
    return '';
  }

  originalSucceeded(value: unknown, marks?: Marks): void {
    const subject = { value: this.#compared(value), marks };
    // The caller may change the value from now on, unless the value is only passed on.
    this.#find(subject, marks === undefined ? captured : undefined, (finding) => {
      this.#original = finding;
    });
  }

  originalFailed(error: unknown): void {
    if (outcomeOf(error) === 'error') this.#original = { isError: true, text: describe(error) };
    this.#end();
    if (this.#original === undefined) this.cancel();
  }

  originalStreamed(): void {
    this.#end();
  }

  /** A lost copy is never sent again. */
  override orphaned(): void {
    this.failed(new Error('the replica of the copy died'));
  }

  protected override onResult(value: unknown): void {
    this.#find({ value: this.#compared(value) }, undefined, (finding) => {
      this.#own = finding;
    });
  }

  protected override onError(error: unknown): void {
    const outcome = outcomeOf(error);
    if (outcome !== 'cancelled' && outcome !== 'rejected')
      this.#own = { isError: true, text: describe(error) };
    this.#end();
  }

  protected override onOpen(): void {
    this.cancel();
  }

  protected override onChunk(): void {}

  protected override onEnd(): void {}

  /** The compared part of a result: of an HTTP answer, status and body. */
  #compared(value: unknown): unknown {
    if (this.method !== HTTP_METHOD_NAME) return value;
    const [status, , body] = value as readonly unknown[];
    return [status, body];
  }

  #find(
    subject: Subject,
    stable: ((value: unknown) => Subject) | undefined,
    found: (finding: Finding) => void,
  ): void {
    const end = (text: string | undefined): void => {
      found(text === undefined ? undefined : { isError: false, text });
      this.#end();
    };
    try {
      const hash = digest(subject, stable && (() => stable(subject.value)));
      if (typeof hash === 'string') end(hash);
      else hash.then(end, () => end(undefined));
    } catch {
      end(undefined);
    }
  }

  #end(): void {
    if (++this.#ended < 2) return;
    this.#counters.add(`shadow_${verdict(this.#original, this.#own)}`);
  }
}

/** Captures a copy of a value. @throws ServeError `SERVE_NOT_SERIALIZABLE` */
function captured(value: unknown): Subject {
  const capture = new Capture();
  return { value: capture.take(value, 'result', RESULT), marks: capture.marks };
}

function verdict(original: Finding, own: Finding): 'match' | 'mismatch' | 'error' | 'dropped' {
  if (original === undefined || own === undefined) return 'dropped';
  if (own.isError && !original.isError) return 'error';
  return own.isError === original.isError && own.text === original.text ? 'match' : 'mismatch';
}
