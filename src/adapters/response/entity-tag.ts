import type { HttpResponse } from '../exchange.ts';

/** Makes the tag of a body; Express keeps it among the settings of an app. */
type EntityTag = (body: string | Uint8Array, encoding: 'utf8') => string | undefined;

/**
 * Gives an answer the tag that Express gives its own (`etag` of the app's settings), and tells whether the client has it
 * already. Other frameworks tag nothing by themselves.
 *
 * @param res its status and headers are set
 */
export function isKnownToClient(res: HttpResponse, body: string | Uint8Array): boolean {
  const app: unknown = Reflect.get(res, 'app');
  if (typeof app !== 'object' && typeof app !== 'function') return false;
  const settings: unknown = app === null ? undefined : Reflect.get(app, 'settings');
  if (typeof settings !== 'object' || settings === null) return false;
  const { method } = res.req;
  if (method !== 'GET' && method !== 'HEAD') return false;
  const entityTag: unknown = Reflect.get(settings, 'etag fn');
  if (typeof entityTag === 'function' && !res.hasHeader('etag')) {
    const tag = (entityTag as EntityTag)(body, 'utf8');
    if (tag) res.setHeader('etag', tag);
  }
  // Express' own comparison with the headers of the request.
  return Reflect.get(res.req, 'fresh') === true;
}
