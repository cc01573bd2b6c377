import type { Implementation } from './session.ts';

interface Entry {
  /** Results can be transferred, so that a buffer can be used again. */
  readonly recycles: boolean;
  /** Loaded in its own process only: one that cannot be imported must not take the others along. */
  readonly load: () => Promise<Implementation>;
}

export const IMPLEMENTATIONS: Readonly<Record<string, Entry>> = {
  floor: { recycles: true, load: async () => (await import('./floor.ts')).floor },
  inserve: { recycles: true, load: async () => (await import('./inserve.ts')).inserve },
  poolifier: { recycles: false, load: async () => (await import('./poolifier.ts')).poolifier },
  piscina: { recycles: true, load: async () => (await import('./piscina.ts')).piscina },
  'piscina-default': { recycles: true, load: async () => (await import('./piscina.ts')).piscinaDefault },
};
