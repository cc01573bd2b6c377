import type { IncomingMessage } from 'node:http';
import { bytes, MIB } from '../../validation/bytes.ts';
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

/** Options for the WebSockets of a server (`attachWebSocket`) or of one app (`middleware(app, { webSocket })`). */
export interface WebSocketOptions {
  /** Maximum size of a message of a client, in bytes or like `'1mb'`; a larger one closes the connection with 1009. Default `'1mb'`. */
  messageLimit?: number | string;
  /** Maximum amount of data that waits for a slow client; beyond it the connection is cut. Default `'16mb'`. */
  bufferLimit?: number | string;
  /**
   * Time in ms after which the connection of a silent client is cut; 0 = never. The client is pinged after a third of this
   * time, and the answer counts. Default 60 000.
   */
  idleTimeoutMs?: number;
  /**
   * The web pages that may connect: those of the same host (default), `'any'`, or those of the listed origins, such as
   * `https://example.com`. Others get 403. A client that sends no `Origin` is not a page and may connect.
   */
  origins?: 'same' | 'any' | readonly string[];
  /** Sub-protocols that the ingress supports, the preferred one first. Default: none. */
  protocols?: readonly string[];
  /** Whether to offer permessage-deflate, which costs memory and time on the host's thread. Default false. */
  compression?: boolean;
  /** Returns whether a client may connect; false answers with 401. Called before the app gets the connection. */
  authorize?: (req: IncomingMessage) => boolean | Promise<boolean>;
}

export type ResolvedWebSocketOptions = Required<Omit<WebSocketOptions, 'messageLimit' | 'bufferLimit'>> & {
  /** Bytes. */
  readonly messageLimit: number;
  /** Bytes. */
  readonly bufferLimit: number;
};

export const WEBSOCKET_FIELDS: Fields<WebSocketOptions> = {
  // `ws` keeps the limit in 32 bits, where 4 GiB would wrap to 0, which means no limit.
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

/** The field for these options within the options of middleware. */
export const webSocket = object<WebSocketOptions>(WEBSOCKET_FIELDS);

const DEFAULTS: ResolvedWebSocketOptions = {
  messageLimit: MIB,
  bufferLimit: 16 * MIB,
  idleTimeoutMs: 60_000,
  origins: 'same',
  protocols: [],
  compression: false,
  authorize: () => true,
};

/** @param given parsed options, the most specific first: each one overrides those after it */
export function resolveWebSocketOptions(
  ...given: readonly (WebSocketOptions | undefined)[]
): ResolvedWebSocketOptions {
  return Object.assign({}, DEFAULTS, ...given.toReversed());
}
