import { boolean, type Fields, milliseconds, number } from '../../validation/fields.ts';

/** Options for replacing replicas whose memory grows without end, before the process runs out of memory. */
export interface GrowthWatchOptions {
  /** Default true. */
  enabled?: boolean;
  /** Share of the instance's memory (`resources.memoryMb`) that must be in use before a replica is replaced. Default 0.7. */
  fromShare?: number;
  /** Minimum growth of a replica since its start, in MiB. Default 128. */
  minGrowthMb?: number;
  /** Period of the samples, in ms; a verdict takes at least 18 of them. Default 2 000. */
  sampleMs?: number;
}

export const GROWTH_WATCH_FIELDS: Fields<GrowthWatchOptions> = {
  enabled: boolean(),
  fromShare: number(0, 1),
  minGrowthMb: number(1),
  sampleMs: milliseconds(10),
};
