import { ServeError, type ServeErrorOptions } from '../errors.ts';
import { isClass } from './remote-methods.ts';

/** Kinds of requests that an ingress answers. */
export interface IngressFace {
  readonly http: boolean;
  readonly webSocket: boolean;
}

const HTTP_METHODS = ['call', 'fetch'] as const;

/** Detects the ingress methods of the prototype. Methods that a constructor adds are known only to the replicas. */
export function ingressFaceOf(target: Function): IngressFace {
  if (!isClass(target)) return { http: true, webSocket: false };
  const prototype = Object(target.prototype) as object;
  return { http: HTTP_METHODS.some((name) => name in prototype), webSocket: 'websocket' in prototype };
}

/** Whether an ingress with this face can be reached from outside. */
export function answers({ http, webSocket }: IngressFace): boolean {
  return http || webSocket;
}

/** Error for an ingress that answers no requests and so cannot be exposed. */
export function notExposable(what: string, about: ServeErrorOptions): ServeError {
  const methods = 'call(request), fetch(request) nor websocket(socket, request)';
  return new ServeError('SERVE_DEPLOY_FAILED', `${what} cannot be exposed: it has neither ${methods}`, about);
}
