import { now, type Timer, time } from '../../time/clock.ts';
import { inRootContext } from '../../time/root-context.ts';
import { MIB } from '../../validation/bytes.ts';
import { isInstance } from '../../validation/peek.ts';
import { Capture, RESULT } from '../../values/capture.ts';
import { buffersIn } from '../../values/memory.ts';
import { type Packed, packError, unpack } from '../../values/pack.ts';
import { giveAway } from '../../values/transfer.ts';

/** Time for which a result is reused for calls with its key, in ms. */
export const KEEP_MS = 60_000;
/** Maximum number of results per deployment and calling thread; the oldest are evicted first. */
export const MOST_KEPT = 1_000;
export const MOST_BYTES: number = 16 * MIB;

/** Approximate memory of a cached result without its strings and buffers. */
const OVERHEAD_BYTES = 256;

/** A result that is shared by several callers. */
export interface SharedResult {
  readonly bytes: number;
  /** Returns a copy for one caller, who owns the result and may change it. */
  copy(): unknown;
}

/**
 * Returns undefined if the value cannot be copied: then the callers share it.
 * @param isByReference the deployment is inline
 * @param isAwaited whether several calls wait for the result; for a single one, a result that is too large for the cache
 * is not copied
 */
export function shareResult(
  value: unknown,
  isByReference: boolean,
  isAwaited: boolean,
): SharedResult | undefined {
  if (isByReference || typeof value !== 'object' || value === null) return new SameResult(value);
  try {
    return isAwaited || memoryOf(value) <= MOST_BYTES ? copiedResult(value) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Classes are used instead of closures, since closures of one call retain everything that any of them uses, the
 * caller's object included.
 */
class SameResult implements SharedResult {
  readonly bytes: number;
  readonly #value: unknown;

  constructor(value: unknown) {
    this.bytes = OVERHEAD_BYTES + (typeof value === 'string' ? 2 * value.length : 0);
    this.#value = value;
  }

  copy(): unknown {
    return this.#value;
  }
}

class CopiedResult implements SharedResult {
  readonly bytes: number;
  readonly #packed: Packed;

  constructor(packed: Packed, bytes: number) {
    this.bytes = bytes;
    this.#packed = packed;
  }

  copy(): unknown {
    return unpack(structuredClone(this.#packed));
  }
}

function copiedResult(value: object): CopiedResult {
  const capture = new Capture();
  const captured = capture.take(value, 'result', RESULT);
  const { bytes, marks, transfer = [] } = capture;
  // The captured value may hold objects that are passed by reference. Its large memory is a copy already.
  const packed = structuredClone({ value: captured, marks }, { transfer });
  return new CopiedResult(packed, OVERHEAD_BYTES + bytes);
}

/** The memory of the buffers in a value, in bytes. */
function memoryOf(value: object): number {
  return buffersIn([value]).reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Returns an error of its own for each caller, since frameworks write to an error's properties. */
export function shareError(error: unknown, isByReference: boolean): () => unknown {
  if (isByReference || !isInstance(error, Error)) return () => error;
  const packed = packError(error);
  return () => unpack(structuredClone(packed));
}

/**
 * A result in the form in which it crossed from a replica to this thread, which passes it on. Links only read it, so all
 * calls share it.
 */
export interface RawResult {
  readonly bytes: number;
  readonly packed: Packed;
}

/** Returns undefined if the value has no known size, and cannot be kept. */
export function rawResult(packed: Packed): RawResult | undefined {
  const { value } = packed;
  // Its large memory is counted, not copied.
  if (typeof value === 'object' && value !== null) giveAway(value);
  try {
    const capture = new Capture();
    capture.take(value, 'result', RESULT);
    return { bytes: OVERHEAD_BYTES + capture.bytes, packed };
  } catch {
    return undefined;
  }
}

export interface KeptResult<R> {
  readonly fingerprint: string;
  readonly result: R;
}

/** Caches the results of calls with idempotency keys. */
export class ResultCache<R extends { readonly bytes: number } = SharedResult> {
  readonly #kept = new Map<string, KeptResult<R> & { readonly until: number }>();
  #bytes = 0;
  #timer: Timer | undefined = undefined;

  get size(): number {
    return this.#kept.size;
  }

  get(id: string, at: number): KeptResult<R> | undefined {
    this.#dropOld(at);
    return this.#kept.get(id);
  }

  keep(id: string, kept: KeptResult<R>, at: number): void {
    this.#drop(id);
    this.#dropOld(at);
    const { bytes } = kept.result;
    if (bytes > MOST_BYTES) return;
    this.#kept.set(id, { ...kept, until: at + KEEP_MS });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MOST_KEPT && this.#bytes <= MOST_BYTES) break;
      this.#drop(oldest);
    }
    this.#timer ??= inRootContext(() => this.#startTimer(KEEP_MS));
  }

  /** Removes results when their time is over, whether another call comes or not. */
  #startTimer(ms: number): Timer {
    const timer = time.after(ms, () => {
      const at = now();
      this.#dropOld(at);
      const [first] = this.#kept.values();
      this.#timer = first === undefined ? undefined : this.#startTimer(first.until - at);
    });
    timer.unref();
    return timer;
  }

  /** Drops expired results; the map is in the order of time. */
  #dropOld(at: number): void {
    for (const [id, { until }] of this.#kept) {
      if (until > at) return;
      this.#drop(id);
    }
  }

  #drop(id: string): void {
    this.#bytes -= this.#kept.get(id)?.result.bytes ?? 0;
    this.#kept.delete(id);
  }
}
