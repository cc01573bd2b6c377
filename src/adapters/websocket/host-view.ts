import type { IncomingMessage } from 'node:http';
import type { HostContext } from '../exchange.ts';
import { hostOf } from '../request/request-head.ts';

const NOTHING_MORE: HostContext = {};

/**
 * The host app's view of a client that asks for an upgrade. An Express app is the request listener itself and has the
 * prototype of its requests, whose getters follow `trust proxy`; the prototypes of other frameworks are not accessible.
 *
 * @param listeners the listeners for the server's event `request`
 */
export function hostView(listeners: readonly unknown[], req: IncomingMessage): HostContext {
  const prototype = listeners.map(requestsOf).find((found) => found !== undefined);
  if (prototype === undefined) return NOTHING_MORE;
  const { headers, socket } = req;
  const view: HostContext = Object.create(prototype, {
    headers: { value: headers },
    socket: { value: socket },
    connection: { value: socket },
  });
  const host = hostOf(headers.host ?? '', view);
  const { protocol, ip } = view;
  return { ...(protocol && { protocol }), ...(host && { host }), ...(ip && { ip }) };
}

function requestsOf(listener: unknown): object | undefined {
  if (typeof listener !== 'function') return undefined;
  const settings: unknown = Reflect.get(listener, 'settings');
  const request: unknown = Reflect.get(listener, 'request');
  const isExpress = typeof settings === 'object' && settings !== null && 'trust proxy fn' in settings;
  return isExpress && typeof request === 'object' && request !== null ? request : undefined;
}
