import type { CallChannel } from '../../channel/call-channel.ts';
import type { Link, LinkKind } from './link.ts';

/** Makes the channels of one kind of link, for one caller thread. */
export interface Connector<K extends LinkKind> {
  /**
   * @param onGone the replica is gone: nothing can be sent any more
   * @returns a promise if the replica itself must be created first
   */
  connect(link: Link<K>, onGone: () => void): CallChannel | Promise<CallChannel>;
}

/** Connectors of the kinds of links that a caller thread receives. */
export type Connectors = { readonly [K in LinkKind]?: Connector<K> };

/** Makes a channel by the connector of the link's kind. */
export function connect<K extends LinkKind>(
  connectors: { readonly [P in K]?: Connector<P> },
  link: Link<K>,
  onGone: () => void,
): CallChannel | Promise<CallChannel> {
  const connector = connectors[link.kind];
  if (connector === undefined)
    throw new TypeError(`this thread has no connector for a link of kind ${link.kind}`);
  return connector.connect(link, onGone);
}
