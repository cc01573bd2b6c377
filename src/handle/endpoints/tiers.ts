import type { Endpoint } from './endpoint.ts';
import { cheaperOfTwo, powerOfTwoChoices, reserveAt } from './power-of-two.ts';

/** A local replica is preferred while its calls are below this share of its limit. */
const PREFERRED_SHARE = 1 / 2;

/**
 * Endpoints in this instance and in other instances: a call stays here while local replicas have plenty of room; beyond
 * that it goes to the cheapest endpoint, network latency included. An instance whose places are taken may have room for a call
 * that waits there, and gets one only while no place is free anywhere.
 */
export class Tiers {
  readonly #all: readonly Endpoint[];
  readonly #local: readonly Endpoint[];
  readonly #peers: readonly Endpoint[];

  constructor(endpoints: readonly Endpoint[]) {
    this.#all = endpoints;
    this.#local = endpoints.filter(({ channel }) => channel.tier === 'local');
    this.#peers = endpoints.filter(({ channel }) => channel.tier === 'peer');
  }

  /**
   * Takes a place at which a call runs at once; undefined if none is free.
   *
   * @param preferLocal true: here until every replica is full; false: anywhere; undefined: here until half full
   * @param except an endpoint to skip
   * @param at the time, as exactly as the caller knows it
   */
  reserve(preferLocal: boolean | undefined, except: Endpoint | undefined, at: number): Endpoint | undefined {
    if (preferLocal === true)
      return powerOfTwoChoices(this.#local, except, at) ?? powerOfTwoChoices(this.#peers, except, at, false);
    if (preferLocal === undefined && this.#local.length > 0) {
      const best = cheaperOfTwo(this.#local);
      const { ongoing, limit } = best.channel;
      if (ongoing < PREFERRED_SHARE * limit && reserveAt(best, except, at) !== undefined) return best;
    }
    return powerOfTwoChoices(this.#all, except, at, false);
  }

  /** Takes room for a call that waits at another instance, where no place is free anywhere; undefined if there is none. */
  reserveToWait(except: Endpoint | undefined, at: number): Endpoint | undefined {
    return powerOfTwoChoices(this.#peers, except, at);
  }
}
