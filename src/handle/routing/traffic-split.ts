import type { Call } from '../call/call.ts';
import type { Route } from './route.ts';

/** A new version that is tried beside an app: it takes a share of its calls, or a copy of each. */
export interface DetourConfig {
  readonly kind: 'canary' | 'shadow';
  /** The app that the new version runs as. */
  readonly app: string;
  /** Of the calls, 0…1; of a shadow always 1. */
  readonly share: number;
  readonly seed: number;
}

/** What happens to the calls of a route on their way. */
export interface TrafficSplit {
  /** The route that a call takes instead; undefined: it goes on. */
  take(call: Call): Route | undefined;
}

/** A canary: sends a share of the calls to another app. A session stays where it is while the share stays. */
export class Canary implements TrafficSplit {
  readonly #route: Route;
  readonly #share: number;
  readonly #random: () => number;

  constructor(route: Route, { share, seed }: DetourConfig) {
    this.#route = route;
    this.#share = share;
    this.#random = seededRandom(seed);
  }

  take(call: Call): Route | undefined {
    const sessionId = call.meta?.sessionId;
    const draw = sessionId === undefined ? this.#random() : unitHash(sessionId);
    const route = this.#route;
    if (draw >= this.#share || !route.isOpen) return undefined;
    // A small canary must not make callers wait that nothing ties to it.
    return sessionId === undefined && route.queued > 0 ? undefined : route;
  }
}

/** FNV-1a, finished by murmur3's mixer: evenly spread over 0…1. */
export function unitHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash) / 2 ** 32;
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** Numbers from 0 to 1, the same for the same seed (Mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}
