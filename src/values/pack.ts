import { Capture, RESULT } from './capture.ts';
import { describe } from './describe.ts';
import type { Marks } from './marks.ts';
import { revive } from './revive.ts';

/** A captured value with its marks: ready for `postMessage` or `workerData`, any number of times. */
export interface Packed {
  readonly value: unknown;
  readonly marks: Marks | undefined;
}

/** @param name how the value is called in an error. @throws ServeError `SERVE_NOT_SERIALIZABLE` */
export function pack(value: unknown, name: string): Packed {
  const capture = new Capture();
  const captured = capture.take(value, name, RESULT);
  return { value: captured, marks: capture.marks };
}

export function unpack({ value, marks }: Packed): unknown {
  return marks === undefined ? value : revive(value, marks);
}

/** An error that always packs: what cannot cross becomes its description. */
export function packError(error: unknown): Packed {
  try {
    return pack(error, 'error');
  } catch {
    return pack(new Error(describe(error)), 'error');
  }
}
