import * as z from 'zod';

/** What every one of the three deployments takes, over HTTP and by a handle. */
export const Drawing = z.object({
  /** 8 × 8, row by row, from 0 (paper) to 1 (ink). */
  pixels: z.array(z.number().min(0).max(1)).length(64),
});

/** What they answer. */
export const Reading = z.object({
  digit: z.int().min(0).max(9),
  /** Of each digit. */
  probabilities: z.array(z.number().min(0).max(1)).length(10),
});

export type Drawing = z.output<typeof Drawing>;
export type Reading = z.output<typeof Reading>;

/** The digit that is most likely. */
export function toReading(probabilities: ArrayLike<number>): Reading {
  const list = Array.from(probabilities);
  return { digit: list.indexOf(Math.max(...list)), probabilities: list };
}
