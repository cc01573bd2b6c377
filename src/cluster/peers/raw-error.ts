import type { Marks } from '../../values/marks.ts';
import { type Packed, packError } from '../../values/pack.ts';

/** An error as it is passed on: as it arrived with its marks, or packed if it was made on this thread. */
export function rawError(error: unknown, marks: Marks | undefined): Packed {
  return error instanceof Error ? packError(error) : { value: error, marks };
}
