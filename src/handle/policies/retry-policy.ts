import { HTTP_METHOD_NAME, WEBSOCKET_METHOD_NAME } from '../../channel/method-names.ts';

/** Attempts of one call, the first included. */
export const MAX_ATTEMPTS = 3;
const FIRST_PAUSE_MS = 25;
const LAST_PAUSE_MS = 250;

/** Full jitter (Brooker, AWS 2015): anything from 0 to 25, 50, 100 … 250 ms. @param random 0…1 */
export function retryPauseMs(attempts: number, random: number): number {
  return random * Math.min(LAST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (attempts - 1));
}

/** The methods of a deployment that may run twice: none, all, or by name. */
export class IdempotentMethods {
  readonly #all: boolean;
  readonly #names: ReadonlySet<string>;

  constructor(idempotent: boolean | readonly string[]) {
    this.#all = idempotent === true;
    this.#names = new Set(typeof idempotent === 'boolean' ? [] : idempotent);
  }

  get isEmpty(): boolean {
    return !this.#all && this.#names.size === 0;
  }

  has(method: string): boolean {
    // A WebSocket session cannot be repeated.
    if (method === WEBSOCKET_METHOD_NAME) return false;
    if (this.#all) return true;
    // HTTP requests go to whichever of the two methods the class has.
    if (method === HTTP_METHOD_NAME) return this.#names.has('fetch') || this.#names.has('call');
    return this.#names.has(method);
  }
}
