import type { Durations, Random } from './random.ts';

/** Calls of a Poisson process: when they come and how long they take. The references get the very same ones. */
export interface Traffic {
  readonly times: Float64Array;
  readonly durations: Float64Array;
}

export function poisson(random: Random, perMs: number, endMs: number, durations: Durations): Traffic {
  const times: number[] = [];
  for (let at = gap(random, perMs); at < endMs; at += gap(random, perMs)) times.push(at);
  return {
    times: Float64Array.from(times),
    durations: Float64Array.from(times, () => durations.draw(random)),
  };
}

function gap(random: Random, perMs: number): number {
  return -Math.log(1 - random()) / perMs;
}
