import type { IncomingMessage } from 'node:http';
import { bytes } from '../../validation/bytes.ts';
import {
  boolean,
  either,
  type Fields,
  fn,
  listOf,
  MAX_COUNT,
  milliseconds,
  object,
  oneOf,
  string,
} from '../../validation/fields.ts';

/** How WebSockets are taken: of a server (`attachWebSocket`), or of one app on it (`middleware(app, { webSocket })`). */
export interface WebSocketOptions {
  /** Largest message of a client, in bytes or like `'1mb'`; a larger one closes with 1009. Default `'1mb'`. */
  messageLimit?: number | string;
  /** What may wait for a client that reads too slowly; beyond it the connection is cut. Default `'16mb'`. */
  bufferLimit?: number | string;
  /**
   * A client that nothing is heard of for so long, not even the answer to a ping, is gone, in ms; 0 = never. Pings go
   * out after a third of it in silence. Default 60 000.
   */
  idleTimeoutMs?: number;
  /**
   * Which web pages may connect: of the same host (default), `'any'`, or of these origins, such as `https://example.com`.
   * Others get 403. What sends no `Origin` is no page and is let in.
   */
  origins?: 'same' | 'any' | readonly string[];
  /** Sub-protocols that the ingress speaks, the best first. Default: none. */
  protocols?: readonly string[];
  /** permessage-deflate. Costs memory and time on the host's thread. Default false. */
  compression?: boolean;
  /** Whether a client may connect, before anything else is done for it; false: 401. */
  authorize?: (req: IncomingMessage) => boolean | Promise<boolean>;
}

export type ResolvedWebSocketOptions = Required<Omit<WebSocketOptions, 'messageLimit' | 'bufferLimit'>> & {
  /** Bytes. */
  readonly messageLimit: number;
  /** Bytes. */
  readonly bufferLimit: number;
};

export const WEBSOCKET_FIELDS: Fields<WebSocketOptions> = {
  // `ws` keeps it in 32 bits, where 4 GiB would be no limit at all.
  messageLimit: bytes(MAX_COUNT),
  bufferLimit: bytes(),
  idleTimeoutMs: milliseconds(),
  origins: either(
    oneOf('same', 'any'),
    listOf(string("an origin like 'https://example.com'", /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]+$/i)),
  ),
  protocols: listOf(string('a token (RFC 9110)', /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/)),
  compression: boolean(),
  authorize: fn<NonNullable<WebSocketOptions['authorize']>>(),
};

/** For the options of others. */
export const webSocket = object<WebSocketOptions>(WEBSOCKET_FIELDS);

const DEFAULTS: ResolvedWebSocketOptions = {
  messageLimit: 1_048_576,
  bufferLimit: 16_777_216,
  idleTimeoutMs: 60_000,
  origins: 'same',
  protocols: [],
  compression: false,
  authorize: () => true,
};

/** @param given parsed ones, the last first: what one does not say, the one before does */
export function resolveWebSocketOptions(
  ...given: readonly (WebSocketOptions | undefined)[]
): ResolvedWebSocketOptions {
  return Object.assign({}, DEFAULTS, ...given.toReversed());
}
